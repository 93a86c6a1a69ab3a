#define _GNU_SOURCE /* makedev */

#include "system/file_system.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#if defined __linux__
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#else
#include <sys/param.h>
/* After the former. */
#include <sys/mount.h>
#endif

#include "system/file.h"

#include "rules/visibility.h"

#if defined __linux__

/* Of <linux/magic.h> and of modules that are not in it. FUSE's is that of many
** file systems, which the table of mounts tells apart. */
static const struct {
  unsigned long kind;
  const char *name;
} kinds[] = {
    {0xEF53, "ext4"},           {0x58465342, "xfs"},
    {0x9123683E, "btrfs"},      {0x01021994, "tmpfs"},
    {0x794C7630, "overlay"},    {0x2FC12FC1, "zfs"},
    {0xF2F52010, "f2fs"},       {0x4D44, "vfat"},
    {0x2011BAB0, "exfat"},      {0x7366746E, "ntfs3"},
    {0xCA451A4E, "bcachefs"},   {0x6969, "nfs"},
    {0x517B, "smb"},            {0xFF534D42, "cifs"},
    {0xFE534D42, "smb3"},       {0x01021997, "9p"},
    {0x5346414F, "afs"},        {0x6B414653, "afs"},
    {0x00C36400, "ceph"},       {0x73757245, "coda"},
    {0x0BD00BD0, "lustre"},     {0x47504653, "gpfs"},
    {0x7461636F, "ocfs2"},      {0x01161970, "gfs2"},
    {0x19830326, "beegfs"},     {0x20030528, "orangefs"},
    {0x786F4256, "vboxsf"},     {0xBACBACBC, "vmhgfs"},
    {0x65735546, "fuse"},
};

/* A line of it: "36 35 98:0 /mnt1 /mnt2 rw,noatime shared:1 - ext3 /dev/root
** rw"; a blank within a name is written \040. */
static bool is_mount(char *line, dev_t device, char *name) {
  unsigned major, minor;
  char *type = strstr(line, " - ");
  if (!type || sscanf(line, "%*d %*d %u:%u", &major, &minor) != 2 ||
      makedev(major, minor) != device) {
    return false;
  }
  type += strlen(" - ");
  snprintf(name, SV_FILE_SYSTEM_ROOM, "%.*s", (int)strcspn(type, " \n"), type);
  return true;
}

static void look_up_mount(const char *path, char *name) {
  struct stat status;
  FILE *mounts = fopen("/proc/self/mountinfo", "re");
  char *line = NULL;
  size_t room = 0;
  bool found = !mounts || stat(path, &status) != 0;
  while (!found && getline(&line, &room, mounts) >= 0) {
    found = is_mount(line, status.st_dev, name);
  }
  free(line);
  if (mounts) {
    fclose(mounts);
  }
}

static bool name_of(const char *path, char *name) {
  struct statfs status;
  if (statfs(path, &status) != 0) {
    return false;
  }
  unsigned long kind = (unsigned long)status.f_type & 0xFFFFFFFFUL;
  snprintf(name, SV_FILE_SYSTEM_ROOM, "0x%lx", kind);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (kinds[i].kind == kind) {
      snprintf(name, SV_FILE_SYSTEM_ROOM, "%s", kinds[i].name);
    }
  }
  if (strcmp(name, "fuse") == 0) {
    look_up_mount(path, name);
  }
  return true;
}

#else

static bool name_of(const char *path, char *name) {
  struct statfs status;
  if (statfs(path, &status) != 0) {
    return false;
  }
  snprintf(name, SV_FILE_SYSTEM_ROOM, "%s", status.f_fstypename);
  return true;
}

#endif

void sv_file_system_of(const char *path, char name[SV_FILE_SYSTEM_ROOM]) {
  *name = '\0';
  if (!name_of(path, name)) {
    char *directory = sv_file_directory_of(path);
    if (directory) {
      name_of(directory, name);
    }
    free(directory);
  }
}
