import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { JobsError } from "../../shared/errors.ts";
import { RpcThread } from "./thread-rpc.ts";

/**
 * Threads of one kind, kept from one job to the next: starting a thread takes longer than many a job. Idle threads do not
 * keep the process alive.
 */
export class ThreadPool<Calls, Back = object> {
  readonly #url: URL;
  readonly #name: string;
  readonly #maxIdle: number;
  #idle: RpcThread<Calls, Back>[] = [];
  #isClosed = false;

  /**
   * @param url of the threads' compiled code
   * @param name of what the threads do, for errors
   * @param maxIdle threads that are kept
   */
  constructor(url: URL, name: string, maxIdle: number) {
    this.#url = url;
    this.#name = name;
    this.#maxIdle = maxIdle;
  }

  /** A thread for the caller alone. @throws JobsError `internal` if its code is missing */
  take(): RpcThread<Calls, Back> {
    for (;;) {
      const thread = this.#idle.pop() ?? this.#start();
      // One that ended while it was idle is not missed.
      if (!thread.isReusable) continue;
      thread.ref();
      return thread;
    }
  }

  #start(): RpcThread<Calls, Back> {
    const file = fileURLToPath(this.#url);
    if (!existsSync(file))
      throw new JobsError("internal", `${file} is missing`, { hint: "run: npm run build" });
    return new RpcThread(new Worker(this.#url), this.#name);
  }

  /** Keeps the thread for the next job, or ends it: one whose call failed may have left something open. */
  async giveBack(thread: RpcThread<Calls, Back>): Promise<void> {
    if (!thread.isReusable || this.#isClosed || this.#idle.length >= this.#maxIdle)
      return await thread.terminate();
    thread.unref();
    this.#idle.push(thread);
  }

  /** Ends the idle threads; one at work ends when it is given back. */
  close(): void {
    this.#isClosed = true;
    for (const thread of this.#idle) void thread.terminate();
    this.#idle = [];
  }
}
