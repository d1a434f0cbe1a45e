// SPDX-License-Identifier: Apache-2.0
/*
 * page-counter: the guest side of the memory and device tests. One static program, one mode per run.
 *
 *   page-counter counter MIB [PAGES_PER_SECOND [PORT]]   count every page up in turn and check it all the time
 *   page-counter memtouch GIB [STRIDE_PAGES]             touch memory sparsely, say how much lies above 4 GiB
 *   page-counter smp                                     one busy counter per CPU
 *   page-counter block DEVICE MIB                        write, flush, read back, checksum
 *
 * Result lines start with "lifeboat-test: ok" or "lifeboat-test: failed"; the counter also prints
 * "page-counter: rounds=R wrong=W" at most once a second. Lines are few on purpose: under nested emulation
 * every character on the serial console costs the host an exit of 100 to 250 microseconds.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <linux/fs.h>
#include <time.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, PAGE_WORDS = PAGE_BYTES / 8, MAX_CLIENTS = 64, MAX_CPUS = 64, MAX_DETAIL_LINES = 8 };

static void fail(const char *mode, const char *what) {
    printf("lifeboat-test: failed %s %s: %s\n", mode, what, strerror(errno));
    exit(1);
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* splitmix64 finaliser: neighbouring inputs give unrelated words, so a page of the wrong place or age never fits. */
static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

static uint64_t seal(uint64_t page, uint64_t count) {
    return mix(page * 0x9e3779b97f4a7c15ULL + mix(count));
}

/* A page's words: count and page number in front, a seal over both in front, in the middle and at the very end. */
static void write_page(volatile uint64_t *p, uint64_t page, uint64_t count) {
    uint64_t s = seal(page, count);
    p[0] = count;
    p[1] = page;
    p[2] = s;
    p[PAGE_WORDS / 2] = s + 1;
    p[PAGE_WORDS - 1] = s + 2;
}

static int page_is(volatile uint64_t *p, uint64_t page, uint64_t count) {
    uint64_t s = seal(page, count);
    return p[0] == count && p[1] == page && p[2] == s && p[PAGE_WORDS / 2] == s + 1 && p[PAGE_WORDS - 1] == s + 2;
}

/* ---- counter ---- */

static volatile uint64_t counter_rounds, counter_wrong, counter_pages, counter_steps;

static int status_line(char *line, size_t size) {
    return snprintf(line, size, "page-counter: rounds=%llu wrong=%llu pages=%llu steps=%llu\n",
                    (unsigned long long)counter_rounds, (unsigned long long)counter_wrong,
                    (unsigned long long)counter_pages, (unsigned long long)counter_steps);
}

/* Answers one status line to every line (every newline) a client sends; connections stay open. */
static void *serve(void *argument) {
    int port = (int)(intptr_t)argument;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 16)) fail("counter", "listen");
    struct pollfd fds[1 + MAX_CLIENTS] = {{.fd = listener, .events = POLLIN}};
    int count = 1;
    for (;;) {
        if (poll(fds, (nfds_t)count, -1) < 0) continue;
        for (int i = count - 1; i >= 1; i--) {
            if (!fds[i].revents) continue;
            char in[512], line[160];
            ssize_t got = read(fds[i].fd, in, sizeof in);
            int gone = got <= 0;
            for (ssize_t k = 0; k < got && !gone; k++) {
                if (in[k] != '\n') continue;
                int length = status_line(line, sizeof line);
                gone = send(fds[i].fd, line, (size_t)length, MSG_NOSIGNAL) != length;
            }
            if (gone) {
                close(fds[i].fd);
                fds[i] = fds[--count];
            }
        }
        if (fds[0].revents & POLLIN) {
            int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            if (client >= 0 && count <= MAX_CLIENTS) fds[count++] = (struct pollfd){.fd = client, .events = POLLIN};
            else if (client >= 0) close(client);
        }
    }
    return NULL;
}

static void run_counter(uint64_t mib, uint64_t pages_per_second, int port) {
    uint64_t pages = mib * 256;
    volatile uint64_t *buffer = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer == MAP_FAILED) fail("counter", "mmap");
    counter_pages = pages;
    for (uint64_t page = 0; page < pages; page++) write_page(buffer + page * PAGE_WORDS, page, 0);
    pthread_t server;
    if (port && pthread_create(&server, NULL, serve, (void *)(intptr_t)port)) fail("counter", "thread");
    printf("lifeboat-test: ok counter started pages=%llu\n", (unsigned long long)pages);
    int64_t next_line_ns = now_ns() + 1000000000LL, slice_ns = now_ns();
    /* Paced in slices of 1/50 s: smooth enough that every epoch sees the same share of dirty pages. */
    uint64_t slice_pages = pages_per_second / 50, left = slice_pages;
    for (uint64_t round = 0;; round++) {
        for (uint64_t page = 0; page < pages; page++) {
            volatile uint64_t *p = buffer + page * PAGE_WORDS;
            if (!page_is(p, page, round)) {
                if (counter_wrong++ < MAX_DETAIL_LINES)
                    printf("page-counter: wrong page=%llu expected=%llu found-count=%llu found-page=%llu\n",
                           (unsigned long long)page, (unsigned long long)round, (unsigned long long)p[0],
                           (unsigned long long)p[1]);
            }
            write_page(p, page, round + 1);
            counter_steps++;
            if (pages_per_second && left-- == 0) {
                left = slice_pages;
                slice_ns += 20000000LL;
                int64_t ahead_ns = slice_ns - now_ns();
                if (ahead_ns > 0) nanosleep(&(struct timespec){0, ahead_ns}, NULL);
                else slice_ns -= ahead_ns; /* late (slow host, or moved): go on from here, no burst to catch up */
            }
            if ((page & 255) == 255 && now_ns() >= next_line_ns) {
                char line[160];
                status_line(line, sizeof line);
                fputs(line, stdout);
                next_line_ns = now_ns() + 1000000000LL;
            }
        }
        counter_rounds = round + 1;
    }
}

/* ---- memtouch ---- */

static void run_memtouch(uint64_t gib, uint64_t stride) {
    uint64_t pages = gib << 18, touched = (pages + stride - 1) / stride, above = 0, wrong = 0;
    volatile uint64_t *buffer =
        mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (buffer == MAP_FAILED) fail("memtouch", "mmap");
    /* Huge pages would clear 2 MiB at each touch, and every 4 KiB of that is a nested page fault. */
    if (madvise((void *)buffer, pages * PAGE_BYTES, MADV_NOHUGEPAGE)) fail("memtouch", "madvise");
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (pagemap < 0) fail("memtouch", "pagemap");
    for (uint64_t page = 0; page < pages; page += stride) {
        uint64_t entry = 0;
        volatile uint64_t *p = buffer + page * PAGE_WORDS;
        write_page(p, page, 0);
        off_t at = (off_t)((uintptr_t)p / PAGE_BYTES * 8);
        if (pread(pagemap, &entry, 8, at) != 8) fail("memtouch", "read pagemap");
        above += (entry & ((1ULL << 55) - 1)) >= (1ULL << 20);
    }
    for (uint64_t round = 0;; round++) {
        for (uint64_t page = 0; page < pages; page += stride) {
            volatile uint64_t *p = buffer + page * PAGE_WORDS;
            wrong += !page_is(p, page, round);
            write_page(p, page, round + 1);
        }
        /* The first round is the result; later lines show that the guest goes on after save and restore. */
        printf("lifeboat-test: %s memtouch rounds=%llu touched-pages=%llu above-4gib=%llu wrong=%llu\n",
               wrong ? "failed" : "ok", (unsigned long long)round + 1, (unsigned long long)touched,
               (unsigned long long)above, (unsigned long long)wrong);
        nanosleep(&(struct timespec){2, 0}, NULL);
    }
}

/* ---- smp ---- */

static struct { volatile uint64_t count; char pad[56]; } cpu_counts[MAX_CPUS];

static void *spin(void *argument) {
    int cpu = (int)(intptr_t)argument;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set)) fail("smp", "sched_setaffinity");
    for (;;) {
        cpu_counts[cpu].count++;
        if (sched_getcpu() != cpu) {
            printf("lifeboat-test: failed smp thread of cpu %d runs on another cpu\n", cpu);
            exit(1);
        }
    }
    return NULL;
}

static void run_smp(void) {
    int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t before[MAX_CPUS] = {0};
    if (cpus > MAX_CPUS) cpus = MAX_CPUS;
    for (int cpu = 0; cpu < cpus; cpu++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, spin, (void *)(intptr_t)cpu)) fail("smp", "thread");
    }
    for (uint64_t beat = 1;; beat++) {
        nanosleep(&(struct timespec){2, 0}, NULL);
        int alive = 0;
        for (int cpu = 0; cpu < cpus; cpu++) {
            uint64_t count = cpu_counts[cpu].count;
            alive += count != before[cpu];
            before[cpu] = count;
        }
        printf("lifeboat-test: %s smp cpus=%d counting=%d beat=%llu\n", alive == cpus ? "ok" : "failed", cpus, alive,
               (unsigned long long)beat);
    }
}

/* ---- block ---- */

static uint32_t crc32_update(uint32_t crc, const unsigned char *data, size_t length) {
    for (size_t i = 0; i < length; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0xedb88320u & -(crc & 1u));
    }
    return crc;
}

/* The device's first MIB mebibytes become the little-endian words seal(block of 4 KiB, word), so a host can check its file. */
static void run_block(const char *device, uint64_t mib) {
    static uint64_t block[PAGE_WORDS];
    uint64_t blocks = mib * 256, device_bytes = 0, bad = 0;
    uint32_t written = 0xffffffffu, read_back = 0xffffffffu;
    int fd = open(device, O_RDWR | O_CLOEXEC);
    if (fd < 0) fail("block", device);
    if (ioctl(fd, BLKGETSIZE64, &device_bytes)) fail("block", "size");
    if (blocks * PAGE_BYTES > device_bytes) blocks = device_bytes / PAGE_BYTES;
    for (uint64_t n = 0; n < blocks; n++) {
        for (uint64_t w = 0; w < PAGE_WORDS; w++) block[w] = seal(n, w);
        written = crc32_update(written, (unsigned char *)block, PAGE_BYTES);
        if (pwrite(fd, block, PAGE_BYTES, (off_t)(n * PAGE_BYTES)) != PAGE_BYTES) fail("block", "write");
    }
    if (fsync(fd)) fail("block", "flush");
    if (ioctl(fd, BLKFLSBUF, 0)) fail("block", "drop cache");
    for (uint64_t n = 0; n < blocks; n++) {
        if (pread(fd, block, PAGE_BYTES, (off_t)(n * PAGE_BYTES)) != PAGE_BYTES) fail("block", "read");
        read_back = crc32_update(read_back, (unsigned char *)block, PAGE_BYTES);
        for (uint64_t w = 0; w < PAGE_WORDS; w++) bad += block[w] != seal(n, w);
    }
    printf("lifeboat-test: %s block device-bytes=%llu written-bytes=%llu crc32=%08x read-crc32=%08x\n",
           bad || written != read_back ? "failed" : "ok", (unsigned long long)device_bytes,
           (unsigned long long)(blocks * PAGE_BYTES), ~written, ~read_back);
    close(fd);
}

static uint64_t number(int argc, char **argv, int index, uint64_t otherwise) {
    return argc > index && *argv[index] ? strtoull(argv[index], NULL, 10) : otherwise;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    const char *mode = argc > 1 ? argv[1] : "";
    if (!strcmp(mode, "counter"))
        run_counter(number(argc, argv, 2, 64), number(argc, argv, 3, 0), (int)number(argc, argv, 4, 7000));
    else if (!strcmp(mode, "memtouch")) run_memtouch(number(argc, argv, 2, 5), number(argc, argv, 3, 16));
    else if (!strcmp(mode, "smp")) run_smp();
    else if (!strcmp(mode, "block")) run_block(argc > 2 ? argv[2] : "/dev/vda", number(argc, argv, 3, 4));
    else {
        fprintf(stderr, "usage: page-counter counter|memtouch|smp|block ...\n");
        return 2;
    }
    return 0;
}
