import { Worker } from "node:worker_threads";
import { builtFile } from "../../shared/built-file.ts";
import { type ErrorDocument, JobsError, toJobsError } from "../../shared/errors.ts";
import type { FileDigest } from "../../shared/migration-row.ts";

/** What the thread says once. */
export type DigestReply = { digest: FileDigest } | { error: ErrorDocument };

type ByPart<T> = Partial<Record<"cache" | "ref", T>>;

/**
 * Digests of the databases given, each from a thread of its own beside whatever this one does, once SQLite has found
 * them sound.
 *
 * @throws JobsError `corrupt` where one is damaged; the signal's reason where it is aborted
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
        return [part, await checkInThread(file, either)] as const;
      } catch (error) {
        // The other one's result would be thrown away.
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

function checkInThread(file: string, signal: AbortSignal): Promise<FileDigest> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const thread = new Worker(builtFile("./digest-thread.js", import.meta.url), { workerData: file });
    const giveUp = () => void thread.terminate();
    signal.addEventListener("abort", giveUp, { once: true });
    let settle = () =>
      reject(
        signal.aborted ? signal.reason : new JobsError("internal", `the thread that checks ${file} ended`),
      );
    thread.on("message", (reply: DigestReply) => {
      settle = () =>
        "digest" in reply ? resolve(reply.digest) : reject(JobsError.fromDocument(reply.error));
    });
    thread.on("error", (error) => {
      settle = () => reject(toJobsError(error));
    });
    // Once it has ended it holds no lock on the file any more.
    thread.on("exit", () => {
      signal.removeEventListener("abort", giveUp);
      settle();
    });
  });
}
