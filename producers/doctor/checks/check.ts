import { nameDatabase } from "../../../shared/area-db/name-database.ts";
import { filesAtHand } from "../../../shared/sqlite/connection.ts";

export interface Check {
  /** Stable; programs match on it. */
  name: string;
  /** Null if the answer is unknown, or for information only. */
  ok: boolean | null;
  /** One sentence. */
  verdict: string;
  /** What to do about it, in one sentence. */
  remedy?: string | undefined;
  /** Facts for programs, as plain JSON. */
  details?: Record<string, unknown>;
}

type Rest = Pick<Check, "remedy" | "details">;

export const good = (name: string, verdict: string, rest: Rest = {}): Check => ({
  name,
  ok: true,
  verdict,
  ...rest,
});

/** A check without a fault: the answer is unknown, or for information only. */
export const note = (name: string, verdict: string, rest: Rest = {}): Check => ({
  name,
  ok: null,
  verdict,
  ...rest,
});

export const bad = (name: string, verdict: string, rest: Rest = {}): Check => ({
  name,
  ok: false,
  verdict,
  ...rest,
});

/**
 * Runs `look` and returns its checks. An error becomes a verdict under `name`: `busy` (a process is writing, or a
 * journal is hot) counts as unknown, any other error as a fault.
 */
export async function examine(name: string, look: () => Check[] | Promise<Check[]>): Promise<Check[]> {
  try {
    return await look();
  } catch (thrown) {
    const { code, message, hint, details } = nameDatabase(thrown, filesAtHand());
    const rest = { remedy: hint, details: { ...details, code } };
    return [code === "busy" ? note(name, `not checked: ${message}`, rest) : bad(name, message, rest)];
  }
}
