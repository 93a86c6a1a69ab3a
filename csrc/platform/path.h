/*
** Names of files, as the system writes them. Paths are UTF-8. May be called on
** any thread.
*/
#ifndef SV_PLATFORM_PATH_H
#define SV_PLATFORM_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* By whose rules: "posix", with a slash between two parts; "windows", with a
** slash or a backslash, with drives, and names that are devices. */
const char *sv_path_system(void);

/* The path from the root on, whatever the working directory is then: one text
** for each file, with slashes, without parts that mean nothing. A relative path
** stays one where the working directory cannot be told. False where it does
** not fit. */
bool sv_path_absolute(const char *path, char *absolute, size_t room);

#endif
