import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { JobsError } from "../shared/errors.ts";

/**
 * Threads of one kind that do one thing after the other: starting a thread takes longer than many a job. Those that wait
 * for work keep no process alive.
 */
export class KeptThreads {
  readonly #url: URL;
  readonly #most: number;
  #idle: Worker[] = [];
  #isClosed = false;

  /**
   * @param url where the threads' code is
   * @param most that wait for work; what is given back beyond that is ended
   */
  constructor(url: URL, most: number) {
    this.#url = url;
    this.#most = most;
  }

  /** One that nobody else has. @throws {JobsError} `internal` where its code is missing */
  take(): Worker {
    const thread = this.#idle.pop() ?? this.#start();
    thread.removeAllListeners();
    thread.ref();
    return thread;
  }

  #start(): Worker {
    const file = fileURLToPath(this.#url);
    if (existsSync(file)) return new Worker(this.#url);
    throw new JobsError("internal", `${file} is missing`, { hint: "run: npm run build" });
  }

  /** Whoever gives it back knows that it has nothing open and nothing left to do; one that failed is to be ended instead. */
  giveBack(thread: Worker): void {
    thread.removeAllListeners();
    thread.unref();
    if (this.#isClosed || this.#idle.length >= this.#most) {
      thread.on("error", () => {});
      void thread.terminate();
      return;
    }
    this.#idle.push(thread);
    const forget = () => {
      this.#idle = this.#idle.filter((other) => other !== thread);
    };
    // Nobody waits for it: one that ends while it is idle is not missed.
    thread.on("error", forget);
    thread.on("exit", forget);
  }

  /** Ends those that wait for work; one at work ends once it is given back. */
  close(): void {
    this.#isClosed = true;
    for (const thread of this.#idle) void thread.terminate();
    this.#idle = [];
  }
}
