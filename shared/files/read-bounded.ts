import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import type { ErrorCode } from "../error-codes.ts";
import { JobsError } from "../errors.ts";

export interface Bounds {
  maxBytes: number;
  /** Error code for a file that is too large or not regular. */
  code: ErrorCode;
}

/** Buffer size: most files are far smaller than the limit. */
const chunkBytes = 16 * 1024;

/**
 * Reads a regular file of at most `maxBytes`. Never blocks: a FIFO, device or directory is not opened. Missing or
 * unreadable files throw Node's error.
 *
 * Not for a SQLite database: closing any descriptor of it drops this process's locks on it.
 */
export function readBounded(path: string, { maxBytes, code }: Bounds): string {
  return withRegularFile(path, code, (fd, size) => {
    if (size > maxBytes) throw new JobsError(code, `${path} is larger than ${maxBytes} bytes`);
    const bytes = readFrom(fd, 0, maxBytes + 1);
    if (bytes.length > maxBytes) throw new JobsError(code, `${path} is larger than ${maxBytes} bytes`);
    return bytes.toString("utf8");
  });
}

/** Reads the first `maxBytes` of a file of any size. */
export function readHead(path: string, { maxBytes, code }: Bounds): string {
  return withRegularFile(path, code, (fd) => readFrom(fd, 0, maxBytes).toString("utf8"));
}

export function readFrom(fd: number, offset: number, maxBytes: number): Buffer {
  const chunks: Buffer[] = [];
  let length = 0;
  while (length < maxBytes) {
    const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, maxBytes - length));
    const read = readSync(fd, chunk, 0, chunk.length, offset + length);
    if (read === 0) break;
    chunks.push(chunk.subarray(0, read));
    length += read;
  }
  return Buffer.concat(chunks, length);
}

function withRegularFile<T>(path: string, code: ErrorCode, use: (fd: number, size: number) => T): T {
  const refuse = () => new JobsError(code, `${path} is not a regular file`);
  // Opening some devices has effects; afterwards it may have been replaced.
  if (!statSync(path).isFile()) throw refuse();
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw refuse();
    return use(fd, stat.size);
  } finally {
    closeSync(fd);
  }
}
