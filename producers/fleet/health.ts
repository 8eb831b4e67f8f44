import { JobsError, systemCode } from "../../shared/errors.ts";

/** The state of a worker or server, as it says itself over HTTP. */
export interface EndpointHealth {
  url: string;
  ok: boolean;
  /** One sentence if `ok` is false. */
  problem: string | null;
}

export interface HealthReport {
  ok: boolean;
  /** Those that were asked; a default at which nothing listens is left out. */
  endpoints: EndpointHealth[];
}

/** Where a worker with `--metrics 9464` and a server listen by default. */
const defaults = ["http://127.0.0.1:9464/metrics", "http://127.0.0.1:3111/healthz"];

/** How long an endpoint may take, ms: less than the time limit of usual health checks. */
const patience = 3000;

const absent = "nothing listens there (ECONNREFUSED)";

/**
 * Asks the endpoint of a worker or server; without a URL, those of this machine: then one must answer, and each that
 * answers must be well. Needs no Redis.
 *
 * @throws JobsError `usage` for a URL that cannot be asked
 */
export async function checkHealth(given: string | undefined): Promise<HealthReport> {
  if (given !== undefined) {
    const asked = await askEndpoint(endpointUrl(given));
    return { ok: asked.ok, endpoints: [asked] };
  }
  const asked = await Promise.all(defaults.map(askEndpoint));
  const endpoints = asked.filter(({ problem }) => problem !== absent);
  return { ok: endpoints.length > 0 && endpoints.every(({ ok }) => ok), endpoints };
}

/** One line for each endpoint. */
export function healthText({ endpoints }: HealthReport): string {
  if (endpoints.length === 0) {
    return `neither a worker (${defaults[0]}) nor a server (${defaults[1]}) listens on this machine; name another address with --url`;
  }
  return endpoints.map(({ url, problem }) => `${url}: ${problem ?? "well"}`).join("\n");
}

function endpointUrl(text: string): string {
  const bad = (problem: string) =>
    new JobsError("usage", `--url: ${problem}`, { hint: `for example ${defaults.join(" or ")}` });
  if (!URL.canParse(text)) throw bad("it is not a URL");
  const { protocol, username, password, href } = new URL(text);
  if (protocol !== "http:" && protocol !== "https:")
    throw bad(`it begins with ${protocol}, not http: or https:`);
  // Not shown: it may be a secret.
  if (username !== "" || password !== "")
    throw bad("it holds a user or password, and neither endpoint needs one");
  return href;
}

async function askEndpoint(url: string): Promise<EndpointHealth> {
  const problem = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(patience) })
    .then(async (response) => problemOf(response, await response.text()))
    .catch(failureText);
  return { url, ok: problem === null, problem };
}

function failureText(error: Error): string {
  if (error.name === "TimeoutError") return `no answer within ${patience / 1000} s`;
  const { cause = error } = error;
  if (systemCode(cause) === "ECONNREFUSED") return absent;
  return `cannot be asked: ${(cause as Error).message}`;
}

/** Another program may listen there: only an answer of mtjobs counts as good. */
function problemOf({ status }: Response, body: string): string | null {
  const health = asHealth(body);
  if (health !== undefined) {
    if (health.ok === true && status === 200) return null;
    return `the server is not well: Redis is ${String(health.redis)}`;
  }
  if (status !== 200) return `answered with HTTP status ${status}`;
  if (/^mtjobs_redis_up 0$/m.test(body)) return "the server is not well: Redis is down";
  return /^mtjobs_/m.test(body) ? null : "the answer is not one of mtjobs";
}

function asHealth(body: string): { ok: unknown; redis: unknown } | undefined {
  try {
    const document: unknown = JSON.parse(body);
    const isHealth =
      typeof document === "object" && document !== null && "ok" in document && "redis" in document;
    return isHealth ? document : undefined;
  } catch {
    return undefined;
  }
}
