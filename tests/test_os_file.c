/* test_os_file.c: files: whole writes, told errors, locks between descriptions, event descriptors, and ordered faults. */
#include "support_base.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/os.h"

static char folder[64];

static const char *in_folder(const char *name)
{
    static char path[2][128];
    static int turn;
    turn ^= 1;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/leat-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void writes_reads_and_renames(void **state)
{
    char back[16] = "";
    struct stat st;
    size_t done = 99;
    (void)state;
    int fd = leat_i_os_open(in_folder("a"), O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(leat_i_os_open(in_folder("a"), O_RDWR | O_CREAT | O_EXCL, 0600), -EEXIST);
    assert_int_equal(leat_i_os_write_all(fd, "0123456789", 10, &done), 0);
    assert_int_equal(done, 10);
    assert_int_equal(leat_i_os_write_all(fd, "", 0, &done), 0);
    assert_int_equal(done, 0);
    assert_int_equal(leat_i_os_pread(fd, back, 4, 3), 4);
    assert_memory_equal(back, "3456", 4);
    assert_int_equal(leat_i_os_pread(fd, back, 4, 10), 0);
    assert_int_equal(leat_i_os_ftruncate(fd, 5), 0);
    assert_int_equal(leat_i_os_fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 5);
    assert_int_equal(leat_i_os_fsync(fd), 0);
    assert_int_equal(lseek(fd, 1, SEEK_SET), 1);
    assert_int_equal(leat_i_os_read(fd, back, sizeof back), 4);
    assert_memory_equal(back, "1234", 4);
    assert_int_equal(leat_i_os_close(fd), 0);
    assert_int_equal(leat_i_os_close(fd), -EBADF);
    assert_int_equal(leat_i_os_read(fd, back, 1), -EBADF);
    assert_int_equal(leat_i_os_write_all(fd, "x", 1, NULL), -EBADF);
    assert_int_equal(leat_i_os_fsync(fd), -EBADF);
    assert_int_equal(leat_i_os_rename(in_folder("a"), in_folder("b")), 0);
    assert_int_equal(leat_i_os_rename(in_folder("a"), in_folder("b")), -ENOENT);
    assert_int_equal(leat_i_os_stat(in_folder("a"), &st), -ENOENT);
    assert_int_equal(leat_i_os_stat(in_folder("b"), &st), 0);
    assert_int_equal(leat_i_os_fsync_dir(in_folder("b")), 0);
    assert_int_equal(leat_i_os_fsync_dir("in-the-working-folder"), 0);
    assert_int_equal(leat_i_os_fsync_dir("/in-the-root"), 0);
    assert_int_equal(leat_i_os_fsync_dir(in_folder("nowhere/b")), -ENOENT);
    assert_int_equal(leat_i_os_unlink(in_folder("b")), 0);
    assert_int_equal(leat_i_os_unlink(in_folder("b")), -ENOENT);
}

static void a_full_disk_is_told_with_what_went_out(void **state)
{
    static char block[64 * 1024];
    struct rlimit old, small = { 100000, 100000 };
    size_t done = 0;
    (void)state;
    int fd = leat_i_os_open("/dev/full", O_WRONLY, 0);
    assert_true(fd >= 0);
    assert_int_equal(leat_i_os_write_all(fd, "x", 1, &done), -ENOSPC);
    assert_int_equal(done, 0);
    assert_int_equal(leat_i_os_close(fd), 0);

    /* A file that may not grow beyond 100,000 bytes: the second write comes short, and then fails. */
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    fd = leat_i_os_open(in_folder("full"), O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(leat_i_os_write_all(fd, block, sizeof block, &done), 0);
    assert_int_equal(leat_i_os_write_all(fd, block, sizeof block, &done), -EFBIG);
    assert_int_equal(done, 100000 - sizeof block);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(leat_i_os_close(fd), 0);
    assert_int_equal(leat_i_os_unlink(in_folder("full")), 0);
}

static void *read_slowly(void *arg)
{
    int fd = *(int *)arg;
    static char back[300000];
    size_t size = 0;
    ssize_t n;
    while ((n = leat_i_os_read(fd, back + size, 1000)) > 0)
        size += (size_t)n;
    return (void *)size;
}

/* A pipe takes 64 KiB at a time: one write_all, many writes. */
static void short_writes_are_gone_on_with(void **state)
{
    static char block[250000];
    int fd[2];
    pthread_t thread;
    size_t done = 0;
    void *read_bytes = NULL;
    (void)state;
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(leat_i_os_thread_start(&thread, "reader", read_slowly, &fd[0]), 0);
    assert_int_equal(leat_i_os_write_all(fd[1], block, sizeof block, &done), 0);
    assert_int_equal(done, sizeof block);
    assert_int_equal(leat_i_os_close(fd[1]), 0);
    assert_int_equal(pthread_join(thread, &read_bytes), 0);
    assert_int_equal((size_t)read_bytes, sizeof block);
    assert_int_equal(leat_i_os_close(fd[0]), 0);
}

static void a_lock_keeps_others_out(void **state)
{
    (void)state;
    int one = leat_i_os_open(in_folder("lock"), O_RDWR | O_CREAT, 0600);
    int two = leat_i_os_open(in_folder("lock"), O_RDWR, 0);
    assert_true(one >= 0 && two >= 0);
    assert_int_equal(leat_i_os_lock(one), 0);
    assert_int_equal(leat_i_os_lock(one), 0);
    assert_int_equal(leat_i_os_lock(two), -EAGAIN); /* another description, though the same process */
    assert_int_equal(leat_i_os_close(one), 0);
    assert_int_equal(leat_i_os_lock(two), 0);
    assert_int_equal(leat_i_os_close(two), 0);
    assert_int_equal(leat_i_os_unlink(in_folder("lock")), 0);
}

static void events_add_up_and_drain(void **state)
{
    uint64_t count = 0;
    (void)state;
    int fd = leat_i_os_eventfd();
    assert_true(fd >= 0);
    leat_i_os_eventfd_drain(fd); /* nothing there: no wait */
    leat_i_os_eventfd_signal(fd);
    leat_i_os_eventfd_signal(fd);
    assert_int_equal(leat_i_os_read(fd, &count, sizeof count), sizeof count);
    assert_int_equal(count, 2);
    leat_i_os_eventfd_signal(fd);
    leat_i_os_eventfd_drain(fd);
    assert_int_equal(leat_i_os_read(fd, &count, sizeof count), -EAGAIN);
    assert_int_equal(leat_i_os_close(fd), 0);
}

static const char *faulty_call;

static int fault_of(const char *call)
{
    return strcmp(call, faulty_call) == 0 ? -EIO : 0;
}

static void ordered_faults_come_out(void **state)
{
    struct stat st;
    char c;
    (void)state;
    int fd = leat_i_os_open(in_folder("fault"), O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    leat_i_os_fault = fault_of;
    faulty_call = "open";
    assert_int_equal(leat_i_os_open(in_folder("fault"), O_RDWR, 0), -EIO);
    faulty_call = "read";
    assert_int_equal(leat_i_os_read(fd, &c, 1), -EIO);
    faulty_call = "pread";
    assert_int_equal(leat_i_os_pread(fd, &c, 1, 0), -EIO);
    faulty_call = "write";
    size_t done = 9;
    assert_int_equal(leat_i_os_write_all(fd, "x", 1, &done), -EIO);
    assert_int_equal(done, 0);
    faulty_call = "fsync";
    assert_int_equal(leat_i_os_fsync(fd), -EIO);
    assert_int_equal(leat_i_os_fsync_dir(in_folder("fault")), -EIO);
    faulty_call = "ftruncate";
    assert_int_equal(leat_i_os_ftruncate(fd, 0), -EIO);
    faulty_call = "rename";
    assert_int_equal(leat_i_os_rename(in_folder("fault"), in_folder("x")), -EIO);
    faulty_call = "stat";
    assert_int_equal(leat_i_os_stat(in_folder("fault"), &st), -EIO);
    faulty_call = "fstat";
    assert_int_equal(leat_i_os_fstat(fd, &st), -EIO);
    faulty_call = "lock";
    assert_int_equal(leat_i_os_lock(fd), -EIO);
    faulty_call = "eventfd";
    assert_int_equal(leat_i_os_eventfd(), -EIO);
    faulty_call = "unlink";
    assert_int_equal(leat_i_os_unlink(in_folder("fault")), -EIO);
    faulty_call = "close";
    assert_int_equal(leat_i_os_close(fd), -EIO); /* told, and closed all the same */
    leat_i_os_fault = NULL;
    assert_int_equal(leat_i_os_close(fd), -EBADF);
    assert_int_equal(leat_i_os_unlink(in_folder("fault")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_reads_and_renames),      cmocka_unit_test(a_full_disk_is_told_with_what_went_out),
        cmocka_unit_test(short_writes_are_gone_on_with), cmocka_unit_test(a_lock_keeps_others_out),
        cmocka_unit_test(events_add_up_and_drain),       cmocka_unit_test(ordered_faults_come_out),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
