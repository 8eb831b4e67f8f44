import { createHash } from "node:crypto";
import { defined } from "../../shared/defined.ts";
import { JobsError } from "../../shared/errors.ts";
import type { DoctorMessage } from "../../shared/queue/webhook-queue.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { plural } from "../../shared/text.ts";
import type { Diagnosis } from "../contract/area.ts";
import { withSession } from "../jobs/session.ts";

/**
 * Without the setting no worker sends messages either.
 *
 * @throws {JobsError} `bad-settings`
 */
export function assertWebhook({ webhookUrl }: Settings): void {
  if (webhookUrl !== undefined) return;
  throw new JobsError("bad-settings", "--notify: MTJOBS_WEBHOOK_URL is not set, so that no message is sent", {
    hint: "set it here and for the workers, who send the messages",
  });
}

/**
 * Queues a message about each area that has faults, for the workers to send. Returns the ids of the messages.
 *
 * @throws {JobsError} `redis-unreachable`, `bad-redis`
 */
export async function notify(diagnoses: readonly Diagnosis[], settings: Settings): Promise<string[]> {
  const messages = diagnoses
    .filter(({ ok }) => !ok)
    .map((each) => messageOf(each, settings.host, new Date().toISOString()));
  if (messages.length === 0) return [];
  // Loaded only if there is something to tell.
  const { addMessage, openWebhookQueue } = await import("../../shared/queue/webhook-queue.ts");
  return await withSession(settings, async ({ redis }) => {
    const queue = openWebhookQueue(redis, settings.prefix);
    try {
      for (const message of messages) await addMessage(queue, message);
    } finally {
      await queue.close().catch(() => {});
    }
    return messages.map(({ id }) => id);
  });
}

function messageOf({ area, areaId, checks }: Diagnosis, host: string, at: string): DoctorMessage {
  const findings = checks
    .filter(({ ok }) => ok === false)
    .map(({ name, verdict, remedy }) => defined({ name, verdict, remedy }));
  const names = findings.map(({ name }) => name);
  // The same faults are one message a day, whichever hosts find them.
  const subject = JSON.stringify([areaId ?? area, names.toSorted(), at.slice(0, 10)]);
  return {
    id: `doctor.findings-${createHash("sha256").update(subject).digest("hex").slice(0, 16)}`,
    type: "doctor.findings",
    at,
    host,
    area,
    areaId,
    findings,
    text: `doctor found ${plural(findings.length, "problem")} in ${area}: ${names.join(", ")}`,
  };
}
