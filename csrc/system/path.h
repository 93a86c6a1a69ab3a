/*
** Names of files, as the system writes them. Paths are UTF-8. May be called on
** any thread.
*/
#ifndef SV_SYSTEM_PATH_H
#define SV_SYSTEM_PATH_H

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

/* The path of the file itself, from the root on: of what is there all links are
** followed, also one that has the file's own name; what is not there yet is
** text, in which `..` takes the part before it away. 0 or an errno:
** SV_FILE_DANGLING (file.h) of a link to something that does not exist, ELOOP of
** links in a circle, ENAMETOOLONG where it does not fit. A part that nobody here
** may look into is text, too; a relative path stays as it is where that part is
** the working directory. */
int sv_path_real(const char *path, char *real, size_t room);

/* The path in small letters where this system does not tell capitals from them:
** in `folded`, or `path` itself where it does tell, or it does not fit. */
const char *sv_path_folded(const char *path, char *folded, size_t room);

#endif
