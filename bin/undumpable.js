// Closes this process to the other processes of its user: the kernel then refuses to show them its memory, its environment and its
// descriptors in /proc, and to let them trace it. Only Linux has this, by prctl(2), which Node does not expose. An exec resets it,
// so programs that this process starts are not affected. If koffi cannot be loaded, the server warns at its start.
const SET_DUMPABLE = 4;

if (process.platform === "linux") {
  try {
    const { default: koffi } = await import("koffi");
    const prctl = koffi.load(null).func("int prctl(int, ulong, ulong, ulong, ulong)");
    prctl(SET_DUMPABLE, 0, 0, 0, 0);
  } catch {}
}
