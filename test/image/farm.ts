import { chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { temporaryDirectory, waitFor } from "../support/area.ts";
import { output, podman, run } from "./engine.ts";

export const farmImage = "localhost/mtjobs-image-test";
const project = "mtjobs-image-test";
const token = "a token for the test of the image";

export interface Farm {
  /** Runs a command in a service's container; resolves to what it printed. */
  on(service: string, ...command: string[]): Promise<string>;
  /** Waits until a service's health check is passed. */
  healthy(service: string): Promise<void>;
  /** Asks the server. */
  http(path: string, password?: string): Promise<Response>;
}

/**
 * Starts the farm of docker-compose.yml with podman-compose, and removes it afterwards. The file is as it is, but for
 * the image, which is built, and the ports: Redis has none, the server a free one.
 */
export async function withFarm(work: (farm: Farm) => Promise<void>): Promise<void> {
  const directory = temporaryDirectory();
  const file = join(directory, "docker-compose.yml");
  writeFileSync(file, composeText());
  const env: Record<string, string> = { MTJOBS_TOKEN: token };
  for (const name of ["AREAS", "HOST_A_TMP", "HOST_B_TMP"]) {
    env[name] = join(directory, name);
    mkdirSync(env[name]);
    if (process.getuid?.() === 0) chownSync(env[name], 1000, 1000);
  }
  const compose = (...args: string[]) => run("podman-compose", ["-f", file, "-p", project, ...args], env);
  try {
    const up = await compose("up", "-d");
    if (up.code !== 0) throw new Error(`podman-compose up: ${up.stderr}`);
    await work(farm());
  } finally {
    await compose("down", "-v");
    await podman("volume", "rm", "--force", `${project}_redis-data`);
    await podman("network", "rm", "--force", `${project}_default`);
  }
}

function composeText(): string {
  const text = readFileSync(new URL("../../docker-compose.yml", import.meta.url), "utf8");
  const { services, volumes } = parse(text, { merge: true }) as {
    services: Record<string, Record<string, unknown>>;
    volumes: unknown;
  };
  for (const [name, service] of Object.entries(services)) {
    delete service.ports;
    delete service.build;
    if (name !== "redis") service.image = farmImage;
    if (name === "server") service.ports = ["127.0.0.1::3111"];
  }
  // JSON is YAML of every version: `no` is a word in one and false in another.
  return JSON.stringify({ services, volumes });
}

function farm(): Farm {
  const nameOf = async (service: string) => {
    const labels = { "com.docker.compose.project": project, "com.docker.compose.service": service };
    const filters = Object.entries(labels).map(([label, value]) => `--filter=label=${label}=${value}`);
    return await output("podman", ["ps", "--all", "--format={{.Names}}", ...filters]);
  };
  return {
    on: async (service, ...command) => await output("podman", ["exec", await nameOf(service), ...command]),
    async healthy(service) {
      const name = await nameOf(service);
      let last = "";
      await waitFor(
        `${service} to be healthy`,
        async () => {
          const { code, stdout, stderr } = await podman("healthcheck", "run", name);
          last = code === 0 ? "" : `${stdout}${stderr}${(await podman("logs", "--tail=20", name)).stderr}`;
          return code === 0;
        },
        { deadline: 60_000, state: () => last },
      );
    },
    async http(path, password = token) {
      const address = await output("podman", ["port", await nameOf("server"), "3111/tcp"]);
      const authorization = `Basic ${Buffer.from(`test:${password}`).toString("base64")}`;
      return await fetch(`http://${address}${path}`, { headers: { authorization } });
    },
  };
}
