/*
 * cpus: how many workers `workers = auto` means.
 *
 * A container that may use two CPUs of a host of 64 sees 64 of them; 64 workers
 * would then share a quota of two and be throttled in turns. So: the CPUs in the
 * affinity mask, and no more than the cgroup's quota (rounded up) allows.
 */
#ifndef SALLYPORT_APP_CPUS_H
#define SALLYPORT_APP_CPUS_H

/* At least 1. */
unsigned cpus_auto(void);

/*
 * The smallest CPU quota on the way from this process's cgroup to the root, in
 * whole CPUs, rounded up; 0 when there is none. Both hierarchies are looked at:
 * cpu.max of version 2, cpu.cfs_quota_us of version 1. `root` is put before every
 * path ("" for the real ones).
 */
unsigned cpus_quota(const char *root);

#endif
