/*
** What a file lies on.
*/
#ifndef SV_SYSTEM_FILE_SYSTEM_H
#define SV_SYSTEM_FILE_SYSTEM_H

enum { SV_FILE_SYSTEM_ROOM = 64 };

/* Writes the system's name of the file system that a path is on, or would be:
** "ext4", "nfs", "fuse.sshfs"; empty where that is not known. */
void sv_file_system_of(const char *path, char name[SV_FILE_SYSTEM_ROOM]);

#endif
