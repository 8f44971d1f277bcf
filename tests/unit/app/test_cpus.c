#include <criterion/criterion.h>
#include <sched.h>

#include "app/cpus.h"
#include "scratch.h"

static char root[SCRATCH_PATH_MAX];

static void make_root(void)
{
    scratch_make(root);
}

static void remove_root(void)
{
    scratch_remove(root);
}

TestSuite(cpus, .init = make_root, .fini = remove_root);

static void cgroup(const char *text)
{
    scratch_write(root, "proc/self/cgroup", text);
}

static void put(const char *path, const char *text)
{
    scratch_write(root, path, text);
}

Test(cpus, no_cgroup_is_no_quota)
{
    cr_expect_eq(cpus_quota(root), 0);
}

Test(cpus, v2_quota_is_rounded_up)
{
    static const struct {
        const char *text;
        unsigned cpus;
    } cases[] = {
        { "200000 100000\n", 2 }, { "150000 100000\n", 2 }, { "100001 100000\n", 2 },
        { "100000 100000\n", 1 }, { "1000 100000\n", 1 },   { "max 100000\n", 0 },
        { "", 0 },                { "200000\n", 0 },        { "200000 0\n", 0 },
        { "0 100000\n", 0 },      { "two 100000\n", 0 },    { "-1 100000\n", 0 },
        { "18446744073709551615 1\n", 4294967295u },
    };

    cgroup("0::/app.slice\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put("sys/fs/cgroup/app.slice/cpu.max", cases[i].text);
        cr_expect_eq(cpus_quota(root), cases[i].cpus, "\"%s\": %u", cases[i].text,
                     cpus_quota(root));
    }
}

Test(cpus, v2_the_smallest_on_the_way_up_counts)
{
    cgroup("0::/kube/pod/box\n");
    put("sys/fs/cgroup/kube/pod/box/cpu.max", "800000 100000\n");
    put("sys/fs/cgroup/kube/pod/cpu.max", "300000 100000\n");
    put("sys/fs/cgroup/kube/cpu.max", "max 100000\n");
    cr_expect_eq(cpus_quota(root), 3);
    put("sys/fs/cgroup/cpu.max", "100000 100000\n");
    cr_expect_eq(cpus_quota(root), 1);
}

Test(cpus, v2_in_a_namespace_the_root_has_it)
{
    cgroup("0::/\n");
    put("sys/fs/cgroup/cpu.max", "250000 100000\n");
    cr_expect_eq(cpus_quota(root), 3);
}

Test(cpus, a_neighbour_with_a_longer_name_does_not_count)
{
    cgroup("0::/a\n");
    put("sys/fs/cgroup/a/cpu.max", "max 100000\n");
    put("sys/fs/cgroup/ab/cpu.max", "100000 100000\n");
    cr_expect_eq(cpus_quota(root), 0);
}

Test(cpus, v1_quota)
{
    cgroup("5:memory:/x\n4:cpu,cpuacct:/box\n1:name=systemd:/y\n");
    put("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "350000\n");
    put("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
    cr_expect_eq(cpus_quota(root), 4);
    put("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "-1\n");
    cr_expect_eq(cpus_quota(root), 0);
}

Test(cpus, v1_path_of_the_host_but_mount_of_the_container)
{
    cgroup("4:cpu:/docker/0123456789abcdef\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    cr_expect_eq(cpus_quota(root), 2);
}

Test(cpus, cpuset_and_cpuacct_are_not_cpu)
{
    cgroup("4:cpuset:/box\n3:cpuacct:/box\n");
    put("sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "100000\n");
    put("sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
    cr_expect_eq(cpus_quota(root), 0);
}

Test(cpus, both_hierarchies_at_once)
{
    cgroup("1:cpu:/\n0::/\n");
    put("sys/fs/cgroup/unified/cpu.max", "500000 100000\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    cr_expect_eq(cpus_quota(root), 2);
}

Test(cpus, damaged_cgroup_lines_are_left_out)
{
    cgroup("nonsense\n0:\n0::\n0::relative\n:::\n0::/ok\n");
    put("sys/fs/cgroup/ok/cpu.max", "700000 100000\n");
    cr_expect_eq(cpus_quota(root), 7);
}

Test(cpus, affinity_is_the_upper_bound)
{
    cpu_set_t one;
    unsigned before = cpus_auto();

    cr_expect_geq(before, 1);
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    cr_assert_eq(sched_setaffinity(0, sizeof(one), &one), 0);
    cr_expect_eq(cpus_auto(), 1);
}
