import { createInterface } from "node:readline/promises";
import { JobsError } from "../../shared/errors.ts";
import type { CliIo } from "./io.ts";

/**
 * Has a person at a terminal type `word` in answer to a question, which no habit does by itself.
 * @throws {JobsError} `unconfirmed` without a terminal, or for any other answer; `hint` says what a script does instead
 */
export async function confirm(io: CliIo, question: string, word: string, hint: string): Promise<void> {
  const refusal = (why: string) => new JobsError("unconfirmed", why, { hint });
  if (!io.stdin.isTTY || !io.stderr.isTTY) throw refusal("nobody is here to confirm it");
  const terminal = createInterface({ input: io.stdin, output: io.stderr });
  try {
    const answer = await terminal.question(`${question}\nType ${word} to go on: `, { signal: io.interrupt });
    if (answer.trim() !== word) throw refusal("it was not confirmed");
  } catch (error) {
    if (error instanceof JobsError) throw error;
    throw refusal("it was not confirmed"); // Ctrl-C, or the end of the input
  } finally {
    terminal.close();
  }
}
