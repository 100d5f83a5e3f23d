// Makes the C library return freed buffers to the kernel. By default glibc takes each freed large buffer as a reason to keep buffers
// of that size (up to 32 MB) in its heap, where one small allocation above them keeps them from being returned: after 24
// requests of 4 MB a server with 42 MB in use held 380 MB. With a fixed threshold larger buffers are mapped and unmapped, also the
// 64 KB into which Node reads a socket. Other C libraries lack mallopt(3); without koffi the server runs with the default.
const MMAP_THRESHOLD = -3;
const BYTES = 32 * 1024;

if (process.platform === "linux") {
  try {
    const { default: koffi } = await import("koffi");
    koffi.load(null).func("int mallopt(int, int)")(MMAP_THRESHOLD, BYTES);
  } catch {}
}
