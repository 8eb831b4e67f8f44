import type { FileDigest } from "../../../shared/contract/migration-row.ts";
import { builtFile } from "../../../shared/process.ts";
import type { ExpectedFile } from "../../../shared/sqlite/private-copy.ts";
import { ThreadPool } from "../../threads/thread-pool.ts";

/** A database and where to copy it; see `copyTo`. */
export interface Copying {
  file: string;
  path: string;
  expected: ExpectedFile;
}

export interface DigestCalls {
  copy(copying: Copying): void;
  /** @throws JobsError `corrupt` if SQLite finds damage */
  digest(file: string): FileDigest;
  integrity(file: string): string[];
}

const digestThreads = new ThreadPool<DigestCalls>(
  builtFile("workers/migrate/pair/digest-thread.js"),
  "digest",
  0,
);

type ByPart<T> = Partial<Record<"cache" | "ref", T>>;

/**
 * Checks and digests the given databases, each in its own thread.
 *
 * @throws JobsError `corrupt` if one is damaged; the signal's reason if aborted
 */
export async function digestInThread(
  files: ByPart<string>,
  signal: AbortSignal,
): Promise<ByPart<FileDigest>> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const parts = (["cache", "ref"] as const).flatMap((part) => {
    const file = files[part];
    return file === undefined ? [] : [{ part, file }];
  });
  const done = await Promise.allSettled(
    parts.map(async ({ part, file }) => {
      try {
        return [part, await inThread(either, (thread) => thread.call("digest", file))] as const;
      } catch (error) {
        // The other result is useless.
        stop.abort(error);
        throw error;
      }
    }),
  );
  const failed = done.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw signal.aborted ? signal.reason : (stop.signal.reason ?? failed.reason);
  return Object.fromEntries(
    done.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : [])),
  );
}

/** Copies a database in a thread. @throws JobsError as `copyPrivately`, and the signal's reason if aborted */
export async function copyInThread(copying: Copying, signal: AbortSignal): Promise<void> {
  await inThread(signal, (thread) => thread.call("copy", copying));
}

/** `integrityOf` in a thread. @throws the signal's reason if aborted */
export async function integrityInThread(file: string, signal: AbortSignal): Promise<string[]> {
  return await inThread(signal, (thread) => thread.call("integrity", file));
}

type DigestThread = ReturnType<typeof digestThreads.take>;

async function inThread<T>(signal: AbortSignal, call: (thread: DigestThread) => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const thread = digestThreads.take();
  const end = () => void thread.terminate();
  signal.addEventListener("abort", end, { once: true });
  try {
    return await call(thread);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener("abort", end);
    // When it has ended it holds no lock on the file.
    await digestThreads.giveBack(thread);
  }
}
