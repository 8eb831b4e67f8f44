class Refusal extends Error {}

const headers = { "content-type": "application/json" };

/** Sends a request to the API; `path` is relative to /api/v1. @throws {Refusal} */
export async function ask<T>(path: string, body?: object): Promise<T> {
  const how = body === undefined ? {} : { method: "POST", headers, body: JSON.stringify(body) };
  const response = await fetch(`api/v1/${path}`, how).catch(() => {
    throw new Refusal("the server is unreachable");
  });
  const answer: unknown = await response.json().catch(() => ({}));
  if (response.ok) return answer as T;
  const { detail = response.statusText, hint } = answer as { detail?: string; hint?: string };
  throw new Refusal(hint === undefined ? detail : `${detail}: ${hint}`);
}

export function askArea<T>(path: string, what: "" | "/history" | "/doctor"): Promise<T> {
  return ask(`areas/by-path${what}?${new URLSearchParams({ path })}`);
}
