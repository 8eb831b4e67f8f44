import { fileURLToPath } from "node:url";
import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { FastifyAdapter } from "@bull-board/fastify";
import type { FastifyInstance } from "fastify";
import * as z from "zod";
import { payloadSchemas } from "../../../shared/contract/payload.ts";
import { builtFile } from "../../../shared/process.ts";
import { isNumber, queueName } from "../../../shared/queue/names.ts";
import { isReading, mayUse } from "../../contract/roles.ts";
import { knownHosts } from "../../jobs/list-jobs.ts";
import { requestNames } from "../../jobs/request-job.ts";
import { plainProblem, problemOfThrown, sendProblem } from "./problems.ts";
import type { ServerContext } from "./server-context.ts";

const boardPath = "/queues";
/** The files of @bull-board/ui, which the build copies. */
const boardFiles = builtFile("bull-board");
/** How long the list of hosts is cached, in ms; the board polls every few seconds. */
const freshFor = 2000;

/** Returns a job's title on the board: its kind and area. */
function jobTitle({ name, data }: { name?: string; data?: unknown }): string {
  const { area, dryRun } = (typeof data === "object" && data !== null ? data : {}) as Record<string, unknown>;
  const what = dryRun === true ? `${name ?? "job"} (dry run)` : (name ?? "job");
  return typeof area === "string" ? `${what} ${area}` : what;
}

/** The data of each kind of job that users request, for the editor of the board's form that adds one. */
function dataSchema(): Record<string, unknown> {
  const kinds = requestNames.map((name) => {
    const schema = z.toJSONSchema(payloadSchemas[name], { io: "input", unrepresentable: "any" });
    return { ...schema, title: name, $schema: undefined };
  });
  return { title: "The data of a job", anyOf: kinds };
}

/** Returns the page of mtjobs about a job. */
function pageOf(basePath: string, host: string, { id }: { id?: string | number | null | undefined }) {
  const jobId = String(id ?? "");
  const query = isNumber(jobId) ? `?${new URLSearchParams({ host })}` : "";
  return { displayText: "Show in mtjobs", href: `${basePath}/jobs/${encodeURIComponent(jobId)}${query}` };
}

/**
 * By what the board's menu divides the names of queues: all are in one group. With a dot in a host's name it would make
 * a group of each part, and lose the queue `host.a` beside `host.a.b`.
 */
const delimiterOf = (host: string) => (host.includes(".") ? "" : ".");

/** Adds Bull Board for the queues of all current and future hosts; read-only unless `write`. */
export async function addBoard(app: FastifyInstance, context: ServerContext, write: boolean): Promise<void> {
  const { session, settings, ask } = context;
  const serverAdapter = new FastifyAdapter();
  serverAdapter.setBasePath(`${settings.basePath}${boardPath}`);
  const board = createBullBoard({
    queues: [],
    serverAdapter,
    options: {
      uiBasePath: fileURLToPath(boardFiles),
      uiConfig: { boardTitle: "mtjobs", hideRedisDetails: true },
    },
  });
  // The board's pages show `message`.
  serverAdapter.setErrorHandler((error) => {
    const problem = problemOfThrown(error, app.log);
    return { status: problem.status as 500, body: { ...problem, message: problem.detail } };
  });
  const jobDataSchema = dataSchema();
  const shown = new Set<string>();
  let refreshed: { at: number; done: Promise<void> } | undefined;

  async function showHosts(): Promise<void> {
    for (const host of await ask(() => knownHosts(session))) {
      if (shown.has(host)) continue;
      const adapter = new BullMQAdapter(session.queue(host), {
        readOnlyMode: !write,
        displayName: host,
        description: `Jobs of ${host} (${queueName(host)})`,
        delimiter: delimiterOf(host),
        externalJobUrl: (job) => pageOf(settings.basePath, host, job),
        jobDataSchema,
      });
      adapter.setFormatter("name", jobTitle);
      board.addQueue(adapter);
      shown.add(host);
    }
  }

  await app.register(async (scope) => {
    scope.addHook("onRequest", async (request, reply) => {
      if (!write && !isReading(request)) {
        return sendProblem(
          reply,
          plainProblem(405, "the board is read-only: the server was started without --board-write"),
        );
      }
      if (!isReading(request) && !mayUse(request.role, "admin"))
        return sendProblem(reply, plainProblem(403, "only a token with the role admin may change queues"));
      if (refreshed === undefined || performance.now() - refreshed.at > freshFor)
        refreshed = { at: performance.now(), done: showHosts() };
      await refreshed.done;
    });
    // The content security policy blocks fonts of other sites; removing the links avoids errors in the browser's
    // console.
    scope.addHook("onSend", async (_request, _reply, payload) =>
      typeof payload === "string" ? payload.replace(/<link href="https:[^>]*>/g, "") : payload,
    );
    await scope.register(serverAdapter.registerPlugin(), { prefix: boardPath });
  });
}
