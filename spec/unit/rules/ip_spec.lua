local core = require "starvideos.core"

local PRIVATE = [[
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1
127.255.255.255 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.192
192.168.0.1 224.0.0.1 240.0.0.1 255.255.255.255
:: ::1 0:0:0:0:0:0:0:1 ::127.0.0.1 ::ffff:10.0.0.1 ::ffff:7f00:1
::ffff:0:192.168.1.1 64:ff9b::a00:1 64:ff9b::169.254.169.254 64:ff9b:1::808:808
2002:7f00:1:: 2002:c0a8:101::1 2001::1 100::1 fc00::1 fdff::1 fe80::1 febf::1
fec0::1 ff02::1 FE80::1 fe80::1%eth0
localhost LOCALHOST localhost. a.localhost]]

local PUBLIC = [[
1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255
128.0.0.0 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0
192.167.255.255 192.169.0.0 198.18.0.1 198.19.255.255 223.255.255.255
::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1 2001:4860:4860::8888 2606:4700::1
fbff::1 fe00::1 1:2:3:4:5:6:7:8
video.example localhost.example notlocalhost local 10.0.0.1.example dead beef.example
256.0.0.1 1.2.3 1.2.3.4.5 10.0.0.1x : ]]

-- Each in hexadecimal.
local READ = [[
1.2.3.4=01020304 010.0.0.255=0a0000ff 0.0.0.0=00000000
::=00000000000000000000000000000000 ::1=00000000000000000000000000000001
1::2=00010000000000000000000000000002 1:2:3:4:5:6:7::=00010002000300040005000600070000
1:2:3:4:5:6:7:Ab=000100020003000400050006000700ab
::ffff:1.2.3.4=00000000000000000000ffff01020304
1:2:3:4:5:6:1.2.3.4=00010002000300040005000601020304]]

local UNREADABLE = [[
1::2::3 ::1: 1::2: :1::2 ::: 1:2:3:4:5:6:7 1:2:3:4:5:6:7:8: 1:2:3:4:5:6:7:8:9
1:2:3:4:5:6:7::8 12345:: a::g ::1.2.3 ::1.2.3.4:5 1:2:3:4:5:6:7:1.2.3.4 1.2.3.4::
::99999999999.1.1.1 1.2.3 1.2.3.4.5 1.2.3.256 1..2.3 -1.2.3.4 1.2.3.4x 1.2.3.4:
fe80::1%eth0 [::1] : . localhost x]]

describe("an address", function()
  it("is read as its bytes, or not at all", function()
    for text, bytes in READ:gmatch "(%S+)=(%x+)" do
      assert.equal(bytes, (assert(core.read_ip(text), text):gsub(".", function(byte)
        return ("%02x"):format(byte:byte())
      end)))
    end
    for text in UNREADABLE:gmatch "%S+" do
      assert.is_nil(core.read_ip(text), text)
    end
    for _, text in ipairs { "", "1.2.3.4\0", " ::1", "::1 ", ("1:"):rep(99) } do
      assert.is_nil(core.read_ip(text))
    end
  end)

  it("of this machine, a private network or a group is private", function()
    for host in PRIVATE:gmatch "%S+" do
      assert.is_true(core.is_private(host), host)
      if host:find ":" then
        assert.is_true(core.is_private("[" .. host .. "]"), host)
      end
    end
  end)

  it("of the Internet is not, nor is a name", function()
    for host in PUBLIC:gmatch "%S+" do
      assert.is_false(core.is_private(host), host)
      assert.is_false(core.is_private("[" .. host .. "]"), host)
    end
    for _, host in ipairs { "", "[", "]", ("1"):rep(100), ("a:"):rep(50),
      ("localhost"):rep(9), "1:2:3:4:5:6:7:8:9", "::1::", ":::::::::" } do
      assert.is_boolean(core.is_private(host))
    end
  end)
end)
