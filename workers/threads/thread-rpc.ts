import { parentPort, type Worker } from "node:worker_threads";
import type { ErrorDocument } from "../../shared/error-document.ts";
import { JobsError, toJobsError } from "../../shared/errors.ts";

// Typed calls to a worker thread: arguments and results are plain data, errors cross as documents, a call can be aborted,
// and the thread can call back. `Calls` has the functions that the thread serves, `Back` those that the caller offers to it.

type Argument<F> = F extends (argument: infer A) => unknown ? A : never;
type Result<F> = F extends (argument: never) => infer R ? Awaited<R> : never;
type Name<Functions> = keyof Functions & string;

/** The functions that a caller offers to the thread for one call. */
export type Callbacks<Back> = { [M in keyof Back]?: (argument: Argument<Back[M]>) => unknown };

export interface CallOptions<Back> {
  /** Aborted: the thread is told the reason. The call still ends only when the thread has ended it. */
  signal?: AbortSignal | undefined;
  back?: Callbacks<Back>;
}

interface Failure {
  error: ErrorDocument;
  stack?: string | undefined;
}
type Outcome = { value: unknown } | Failure;

type ToThread =
  | { type: "call"; id: number; method: string; argument: unknown }
  | { type: "abort"; id: number; error: ErrorDocument }
  | { type: "answer"; ask: number; outcome: Outcome };

type FromThread =
  | { type: "outcome"; id: number; outcome: Outcome }
  /** A call back; without `ask` no answer is expected. */
  | { type: "back"; id: number; ask?: number; method: string; argument: unknown };

interface PendingCall {
  resolve(value: unknown): void;
  reject(error: JobsError): void;
  back: Callbacks<Record<string, (argument: unknown) => unknown>>;
}

/** The caller's end of one thread. Several calls may be under way at once; the thread decides in which order it serves them. */
export class RpcThread<Calls, Back = object> {
  readonly #worker: Worker;
  readonly #pending = new Map<number, PendingCall>();
  #lastId = 0;
  #ended: JobsError | undefined;
  #hasFailed = false;

  /** @param name of what the thread does, for the error if it ends unexpectedly */
  constructor(worker: Worker, name: string) {
    this.#worker = worker;
    worker.on("message", (message: FromThread) => this.#receive(message));
    worker.on("error", (error) => this.#end(toJobsError(error)));
    worker.on("exit", (exitCode) =>
      this.#end(
        new JobsError("internal", `the ${name} thread ended without a result`, {
          hint: "run the job again: it continues where it stopped",
          details: { exitCode },
        }),
      ),
    );
  }

  /** Whether the thread can serve the next job: it runs, no call failed and none is pending. */
  get isReusable(): boolean {
    return this.#ended === undefined && !this.#hasFailed && this.#pending.size === 0;
  }

  /** Rejects with the JobsError that the thread's code threw, or with the reason why the thread ended. */
  async call<M extends Name<Calls>>(
    method: M,
    argument: Argument<Calls[M]>,
    { signal, back = {} }: CallOptions<Back> = {},
  ): Promise<Result<Calls[M]>> {
    if (this.#ended !== undefined) throw this.#ended;
    const id = ++this.#lastId;
    const abort = () => this.#post({ type: "abort", id, error: toJobsError(signal?.reason).toDocument() });
    try {
      return await new Promise((resolve, reject) => {
        this.#pending.set(id, {
          resolve: resolve as PendingCall["resolve"],
          reject,
          back: back as PendingCall["back"],
        });
        this.#post({ type: "call", id, method, argument });
        signal?.addEventListener("abort", abort, { once: true });
        if (signal?.aborted) abort();
      });
    } catch (error) {
      // An argument that is no plain data cannot be sent.
      throw toJobsError(error);
    } finally {
      this.#pending.delete(id);
      signal?.removeEventListener("abort", abort);
    }
  }

  ref(): void {
    this.#worker.ref();
  }

  /** Lets the process end although the thread runs. */
  unref(): void {
    this.#worker.unref();
  }

  /** Resolves when the thread has ended and so holds no file any more. */
  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromThread): void {
    const call = this.#pending.get(message.id);
    if (call === undefined) return;
    if (message.type === "back") void this.#serveBack(call, message);
    else if ("value" in message.outcome) call.resolve(message.outcome.value);
    else {
      this.#hasFailed = true;
      call.reject(errorOf(message.outcome));
    }
  }

  async #serveBack(
    call: PendingCall,
    { ask, method, argument }: FromThread & { type: "back" },
  ): Promise<void> {
    const serve = async () => await call.back[method]?.(argument);
    const outcome = await outcomeOf(serve);
    if (ask !== undefined) this.#post({ type: "answer", ask, outcome });
  }

  #end(error: JobsError): void {
    this.#ended ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#ended);
  }
}

/** What the thread's code knows of one call. */
export interface ThreadCall<Back> {
  /** Aborted with the caller's reason. */
  signal: AbortSignal;
  /** Calls the caller back and waits for the answer. */
  ask<M extends Name<Back>>(method: M, argument: Argument<Back[M]>): Promise<Result<Back[M]>>;
  /** Calls the caller back and does not wait. */
  tell<M extends Name<Back>>(method: M, argument: Argument<Back[M]>): void;
}

export type Handlers<Calls, Back> = {
  [M in keyof Calls]: (
    argument: Argument<Calls[M]>,
    call: ThreadCall<Back>,
  ) => Result<Calls[M]> | Promise<Result<Calls[M]>>;
};

/** Serves calls in this thread until the thread is terminated. @throws TypeError outside of a worker thread */
export function serveCalls<Calls, Back = object>(handlers: Handlers<Calls, Back>): void {
  if (parentPort === null) throw new TypeError("this file must be started as a worker thread");
  const port = parentPort;
  const post = (message: FromThread) => port.postMessage(message);
  const aborts = new Map<number, AbortController>();
  const asked = new Map<number, (outcome: Outcome) => void>();
  let lastAsk = 0;

  const callOf = (id: number, signal: AbortSignal): ThreadCall<Back> => ({
    signal,
    tell: (method, argument) => post({ type: "back", id, method, argument }),
    ask: async (method, argument) => {
      const ask = ++lastAsk;
      const outcome = await new Promise<Outcome>((resolve) => {
        asked.set(ask, resolve);
        post({ type: "back", id, ask, method, argument });
      });
      asked.delete(ask);
      if ("error" in outcome) throw errorOf(outcome);
      return outcome.value as never;
    },
  });

  const serve = async ({ id, method, argument }: ToThread & { type: "call" }) => {
    const abort = new AbortController();
    aborts.set(id, abort);
    const handler = handlers[method as keyof Calls];
    const outcome = await outcomeOf(() => handler(argument as never, callOf(id, abort.signal)));
    aborts.delete(id);
    post({ type: "outcome", id, outcome });
  };

  port.on("message", (message: ToThread) => {
    if (message.type === "call") void serve(message);
    else if (message.type === "abort") aborts.get(message.id)?.abort(JobsError.fromDocument(message.error));
    else asked.get(message.ask)?.(message.outcome);
  });
}

async function outcomeOf(work: () => unknown): Promise<Outcome> {
  try {
    return { value: await work() };
  } catch (thrown) {
    return {
      error: toJobsError(thrown).toDocument(),
      stack: thrown instanceof Error ? thrown.stack : undefined,
    };
  }
}

function errorOf({ error, stack }: Failure): JobsError {
  const restored = JobsError.fromDocument(error);
  // Where it was thrown is in the other thread's stack.
  if (stack !== undefined) restored.stack = stack;
  return restored;
}
