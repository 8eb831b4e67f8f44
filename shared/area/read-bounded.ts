import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import { type ErrorCode, JobsError } from "../errors.ts";

/** How far a reader trusts a file that somebody else may have put there. */
export interface Bounds {
  maxBytes: number;
  /** Code of the error thrown for what is no regular file, or is larger. */
  code: ErrorCode;
}

/** Most files are far smaller than they may be: room for the largest is not asked for at once. */
const partBytes = 16 * 1024;

/**
 * The whole of a regular file of at most `maxBytes`. Never waits: a FIFO, a device or a directory is refused
 * without being opened. Missing or unreadable files throw Node's own error (`ENOENT`, `EACCES`).
 *
 * Never for a SQLite database: closing any descriptor of it drops the locks this process holds on it.
 */
export function readBounded(path: string, { maxBytes, code }: Bounds): string {
  return withRegularFile(path, code, (fd, size) => {
    if (size > maxBytes) throw new JobsError(code, `${path} is larger than ${maxBytes} bytes`);
    const bytes = readFrom(fd, 0, maxBytes + 1);
    if (bytes.length > maxBytes) throw new JobsError(code, `${path} is larger than ${maxBytes} bytes`);
    return bytes.toString("utf8");
  });
}

/** At most the first `maxBytes` of a regular file of any size. */
export function readHead(path: string, { maxBytes, code }: Bounds): string {
  return withRegularFile(path, code, (fd) => readFrom(fd, 0, maxBytes).toString("utf8"));
}

/** At most `maxBytes` of an open file from `offset`; fewer where the file ends. */
export function readFrom(fd: number, offset: number, maxBytes: number): Buffer {
  const parts: Buffer[] = [];
  let length = 0;
  while (length < maxBytes) {
    const part = Buffer.allocUnsafe(Math.min(partBytes, maxBytes - length));
    const read = readSync(fd, part, 0, part.length, offset + length);
    if (read === 0) break;
    parts.push(part.subarray(0, read));
    length += read;
  }
  return Buffer.concat(parts, length);
}

function withRegularFile<T>(path: string, code: ErrorCode, use: (fd: number, size: number) => T): T {
  const refuse = () => new JobsError(code, `${path} is not a regular file`);
  // Opening some devices acts on them: look before. And look again, for it may have been exchanged meanwhile.
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
