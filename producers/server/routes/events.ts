import { PassThrough } from "node:stream";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { toJobsError } from "../../../shared/errors.ts";
import type { FleetEvent, QueueStatus } from "../../contract/fleet.ts";
import type { JobView } from "../../contract/job.ts";
import { isUnfinished, jobStates } from "../../contract/job-states.ts";
import { fleetStatus } from "../../fleet/status.ts";
import { listJobs } from "../../jobs/list-jobs.ts";
import { plainProblem, sendProblem } from "./problems.ts";
import type { ServerContext } from "./server-context.ts";

/** Milliseconds between polls of the queues while there are listeners. */
const pollInterval = 1000;
/** Polls without news until a comment is sent, so that proxies keep the connection open. */
const quietPolls = 15;
/** Maximum number of listeners, because each holds a connection; further pages poll instead. */
const mostListeners = 100;
/** Maximum unread bytes of a listener before it is dropped. */
const mostUnread = 4 * 1024 * 1024;
/** Maximum number of unfinished jobs sent, newest first. */
const mostJobs = 500;

/** Polls the queues while there are listeners, and sends changes to all of them. */
class Broadcast {
  readonly #read: () => Promise<FleetEvent>;
  readonly #listeners = new Set<PassThrough>();
  #last = "";
  #quiet = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(read: () => Promise<FleetEvent>) {
    this.#read = read;
  }

  get isFull(): boolean {
    return this.#listeners.size >= mostListeners;
  }

  listen(): PassThrough {
    const stream = new PassThrough();
    stream.on("error", () => {}); // a listener that is gone is not an error
    stream.on("close", () => this.#leave(stream));
    stream.write(this.#last === "" ? ":\n\n" : this.#last);
    this.#listeners.add(stream);
    if (this.#listeners.size === 1) this.#next(0);
    return stream;
  }

  /** Ends all streams, because a stopping server waits for open responses. */
  end(): void {
    for (const stream of this.#listeners) stream.end();
    this.#listeners.clear();
    clearTimeout(this.#timer);
  }

  #leave(stream: PassThrough): void {
    this.#listeners.delete(stream);
    if (this.#listeners.size > 0) return;
    clearTimeout(this.#timer);
    this.#last = "";
  }

  #next(delay: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#turn(), delay);
  }

  async #turn(): Promise<void> {
    this.#send(await this.#describe());
    if (this.#listeners.size > 0) this.#next(pollInterval);
  }

  async #describe(): Promise<string> {
    try {
      return `event: farm\ndata: ${JSON.stringify(await this.#read())}\n\n`;
    } catch (error) {
      const { code, message } = toJobsError(error);
      return `event: trouble\ndata: ${JSON.stringify({ code, message })}\n\n`;
    }
  }

  #send(text: string): void {
    const isNew = text !== this.#last;
    this.#quiet = isNew ? 0 : this.#quiet + 1;
    if (!isNew && this.#quiet % quietPolls !== 0) return;
    this.#last = text;
    for (const stream of this.#listeners) {
      if (stream.writableLength > mostUnread) stream.destroy();
      else stream.write(isNew ? text : ":\n\n");
    }
  }
}

/**
 * `/api/v1/events`: hosts, workers, schedules and unfinished jobs as server-sent events, on every change. Of the
 * lines of `[reduce-records]`, which may be many, only failing ones are included.
 */
export const eventRoute =
  ({ session, ask }: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    const states = jobStates.filter(isUnfinished);
    const broadcast = new Broadcast(() =>
      ask(async () => {
        const [fleet, jobs] = await Promise.all([
          fleetStatus(session),
          listJobs(session, { states, limit: mostJobs, all: true }),
        ]);
        return {
          hosts: fleet.hosts.map(withoutSeenAt),
          automatic: fleet.automatic.filter(({ kind, ok }) => kind === "schedule" || !ok),
          jobs: jobs.map(withoutData),
        };
      }),
    );
    app.addHook("preClose", async () => broadcast.end());
    app.get("/events", { logLevel: "warn", schema: { hide: true } }, async (_request, reply) => {
      if (broadcast.isFull) return sendProblem(reply, plainProblem(503, "too many listeners"));
      // A buffering proxy would delay the events.
      reply.header("x-accel-buffering", "no").type("text/event-stream");
      return reply.send(broadcast.listen());
    });
  };

/** `seenAt` changes all the time; only `alive` matters. */
function withoutSeenAt({ worker, ...host }: QueueStatus): FleetEvent["hosts"][number] {
  if (worker === null) return { ...host, worker };
  const { seenAt: _seenAt, ...rest } = worker;
  return { ...host, worker: rest };
}

/** A job's data may contain 100,000 run ids. */
function withoutData({ data: _data, ...job }: JobView): FleetEvent["jobs"][number] {
  return job;
}
