import { once } from "node:events";
import type { Writable } from "node:stream";

/** The output cannot be written; `cause` says why. Node forgets the error of a process's own streams. */
export class OutputFailure extends Error {
  override readonly name = "OutputFailure";
}

const outputFailure = (cause: unknown) => new OutputFailure("the output could not be written", { cause });

/**
 * Writes text and waits until there is room for more, so that memory stays flat however slow the reader is.
 *
 * @throws OutputFailure, also for an error that came before
 */
export async function write(stream: Writable, text: string): Promise<void> {
  if (stream.errored) throw outputFailure(stream.errored);
  if (text === "" || stream.write(text)) return;
  try {
    await once(stream, "drain");
  } catch (error) {
    throw outputFailure(error);
  }
}

/** Waits until the stream has taken everything. Returns why it has not. */
export async function writeFailure(stream: Writable): Promise<Error | undefined> {
  if (stream.errored) return stream.errored;
  return await new Promise((resolve) => {
    stream.write("", (error) => resolve(error ?? undefined));
  });
}
