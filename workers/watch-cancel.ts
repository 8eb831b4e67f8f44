import type { Redis } from "ioredis";
import { isCancelRequested } from "../shared/queue/cancel.ts";
import type { JobPlace } from "../shared/queue/names.ts";

/** How often a running job's worker looks for a request to cancel it, in milliseconds. */
const interval = 500;

/** Calls `onCancel` once when somebody asks for the end of the job. Returns what ends the watch. */
export function watchCancel(redis: Redis, prefix: string, place: JobPlace, onCancel: () => void): () => void {
  let over = false;
  const look = async (): Promise<void> => {
    // While Redis is away nobody can ask; the next look finds what was asked.
    const asked = await isCancelRequested(redis, prefix, place).catch(() => false);
    if (!asked || over) return;
    end();
    onCancel();
  };
  const timer = setInterval(() => void look(), interval);
  const end = () => {
    over = true;
    clearInterval(timer);
  };
  return end;
}
