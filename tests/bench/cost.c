/*
 * cost COMMAND…: run it and write to stderr what it cost: "CPU microseconds, resident kilobytes at most". A process of
 * its own for this, because the kernel counts the memory of whoever started a program as that program's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct rusage usage;
    int status;
    if (argc < 2)
        return 2;
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &usage) < 0 || !WIFEXITED(status))
        return 1;
    fprintf(stderr, "%lld %ld\n",
            (long long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
                usage.ru_stime.tv_usec,
            usage.ru_maxrss);
    return WEXITSTATUS(status);
}
