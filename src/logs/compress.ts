import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";

const params = { [constants.ZSTD_c_compressionLevel]: 1 };
/** Room for a compressed chunk and for a chunk at once: several rounds of less cost a third more time. */
const COMPRESSED_BYTES = 24 * 1024;
const PLAIN_BYTES = 65 * 1024;

/** One zstd frame at level 1. Synchronous: a chunk takes about 0.1 ms. */
export function compress(data: Buffer): Buffer {
  return zstdCompressSync(data, { params, chunkSize: COMPRESSED_BYTES, pledgedSrcSize: data.length });
}

/** The inverse of compress(). Throws on anything else. */
export function decompress(data: Buffer): Buffer {
  return released(zstdDecompressSync(data, { chunkSize: PLAIN_BYTES }));
}

/**
 * The bytes, taken away from the engine that made them: it would keep their memory until a full collection finds both,
 * and 64 MB of such memory bring one about (in a loop of nothing else: a third of its CPU time).
 */
function released({ buffer, byteOffset, length }: Buffer): Buffer {
  return Buffer.from((buffer as ArrayBuffer).transfer(), byteOffset, length);
}
