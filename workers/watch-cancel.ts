import type { Redis } from "ioredis";
import { isCancelRequested } from "../shared/queue/cancel.ts";
import type { JobPlace } from "../shared/queue/names.ts";

/** Interval between checks for a cancel request, ms. */
const interval = 500;

/** Calls `onCancel` once when the job's cancellation is requested. Returns a function that ends the watch. */
export function watchCancel(redis: Redis, prefix: string, place: JobPlace, onCancel: () => void): () => void {
  let over = false;
  const look = async (): Promise<void> => {
    // While Redis is away there are no requests.
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
