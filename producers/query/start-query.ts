import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { builtFile } from "../../shared/built-file.ts";
import { JobsError } from "../../shared/errors.ts";
import type { Value } from "../../shared/full-db/parameters.ts";
import type { FromQuery, QueryRequest, ToQuery } from "./query-messages.ts";

/** A query that runs in a process of its own. */
export interface RunningQuery {
  columns: readonly string[];
  /** Its rows, some hundred at a time; no more are in memory than are under way. @throws {JobsError} also in the middle */
  batches(): AsyncGenerator<Value[][]>;
}

/**
 * Starts a query; resolves once SQLite has understood it. Its process ends with the last row, at an error, when the
 * rows are not read to their end, or after `timeoutMs`, which also bounds how long it may hold its locks.
 *
 * @throws {JobsError} `bad-query`, `read-only`, `timeout`, `busy`, …
 */
export async function startQuery(request: QueryRequest, timeoutMs: number): Promise<RunningQuery> {
  const child = fork(fileURLToPath(builtFile("./main.js", import.meta.url)), [], {
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  let expired = false;
  // setTimeout takes no longer times.
  const timer = setTimeout(
    () => {
      expired = true;
      child.kill("SIGKILL");
    },
    Math.min(timeoutMs, 2 ** 31 - 1),
  );
  child.once("exit", () => clearTimeout(timer));
  const messages = readMessages(child, () =>
    expired ? timeoutError(timeoutMs) : new JobsError("internal", "the process of the query ended by itself"),
  );
  tell(child, { type: "start", request });
  const first = await messages.next();
  if (first.done === true || first.value.type !== "columns") {
    child.kill("SIGKILL");
    throw new JobsError("internal", "the query began without its columns");
  }
  return { columns: first.value.columns, batches: () => readBatches(child, messages) };
}

function timeoutError(timeoutMs: number): JobsError {
  return new JobsError("timeout", `the query took longer than ${timeoutMs / 1000} s and was ended`, {
    hint: "filter by run_id, test_id, id or runname, or allow more with --timeout",
  });
}

async function* readBatches(
  child: ChildProcess,
  messages: AsyncGenerator<FromQuery, void>,
): AsyncGenerator<Value[][]> {
  try {
    for await (const message of messages) {
      if (message.type !== "rows") continue;
      yield message.rows;
      tell(child, { type: "more" });
    }
  } finally {
    child.kill("SIGKILL");
  }
}

/** What a process sends, up to its end; an error it sends is thrown, as is what `unexpected` says if it goes without. */
async function* readMessages(
  child: ChildProcess,
  unexpected: () => JobsError,
): AsyncGenerator<FromQuery, void> {
  const waiting: FromQuery[] = [];
  let gone = false;
  let wake = () => {};
  child.on("message", (message: FromQuery) => {
    waiting.push(message);
    wake();
  });
  // Not "exit": what was sent before may still be under way.
  child.once("close", () => {
    gone = true;
    wake();
  });
  for (;;) {
    const message = waiting.shift();
    if (message?.type === "error") throw JobsError.fromDocument(message.error);
    if (message?.type === "end") return;
    if (message !== undefined) yield message;
    else if (gone) throw unexpected();
    else
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  }
}

/** A process that is gone is noticed by its end. */
function tell(child: ChildProcess, message: ToQuery): void {
  if (child.connected) child.send(message, () => {});
}
