/** The server refused a request, or did not answer. */
export class Refusal extends Error {
  /** 0 if the server did not answer. */
  readonly status: number;
  /** What is wrong with the members of the request, as `age: is not a duration`. */
  readonly problems: readonly string[];

  constructor(message: string, status: number, problems: readonly string[] = []) {
    super(message);
    this.status = status;
    this.problems = problems;
  }
}

/** What of an error's document the page uses. */
interface ProblemDocument {
  detail?: string;
  hint?: string;
  details?: { problems?: unknown };
}

const headers = { "content-type": "application/json" };

/**
 * Sends a request to the API: a GET, or a POST if there is a body. `path` is relative to /api/v1.
 *
 * @throws {Refusal}
 */
export async function send(
  path: string,
  body?: object,
  method = body && "POST",
  signal?: AbortSignal,
): Promise<Response> {
  const how = {
    ...(method && { method }),
    ...(body && { headers, body: JSON.stringify(body) }),
    ...(signal && { signal }),
  };
  const response = await fetch(`api/v1/${path}`, how).catch(() => {
    throw new Refusal("the server is unreachable", 0);
  });
  if (response.ok) return response;
  if (response.status === 401)
    throw new Refusal("the token is no longer accepted: reload the page to enter one", 401);
  const problem: unknown = await response.json().catch(() => ({}));
  const { detail = response.statusText, hint, details } = problem as ProblemDocument;
  const problems = Array.isArray(details?.problems) ? details.problems.map(String) : [];
  throw new Refusal(hint === undefined ? detail : `${detail}: ${hint}`, response.status, problems);
}

/** The same for an answer in JSON. @throws {Refusal} */
export async function ask<T>(...request: Parameters<typeof send>): Promise<T> {
  const response = await send(...request);
  return (await response.json().catch(() => ({}))) as T;
}

export function askArea<T>(path: string, what: "" | "/history" | "/doctor"): Promise<T> {
  return ask(`areas/by-path${what}?${new URLSearchParams({ path })}`);
}

/** Returns the path of a job in the API; a number needs its host. */
export function jobPath(jobId: string, host: string | undefined, rest = "", query: object = {}): string {
  const chosen = new URLSearchParams({ ...(host === undefined ? {} : { host }), ...query });
  const suffix = chosen.size === 0 ? "" : `?${chosen}`;
  return `jobs/${encodeURIComponent(jobId)}${rest}${suffix}`;
}
