import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildsImage } from "../support/area.ts";
import { nodeImage, provideBaseImages } from "./base-images.ts";
import { configurePodman, output, podman } from "./engine.ts";
import { farmImage, withFarm } from "./farm.ts";
import { type Mirror, startMirror } from "./mirror.ts";

const minute = 60_000;
/** Nothing listens there: whatever is asked for by another way than the mirror fails. */
const noWay = "http://127.0.0.1:9";

let removeConfiguration = () => {};
let mirror: Mirror | undefined;

/** Builds the image; only the mirror can be reached from within. */
async function build(tag: string, args: Record<string, string> = {}): Promise<void> {
  const given = {
    NPM_REGISTRY: mirror?.url,
    HTTP_PROXY: noWay,
    HTTPS_PROXY: noWay,
    NO_PROXY: "127.0.0.1",
    ...args,
  };
  const options = Object.entries(given).flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]);
  await output("podman", ["build", "--network=host", "--http-proxy=false", ...options, "--tag", tag, "."]);
}

const shell = (script: string, tag = farmImage) =>
  output("podman", ["run", "--rm", "--network=none", "--entrypoint", "sh", tag, "-c", script]);

describe.skipIf(!buildsImage)("the image", () => {
  beforeAll(async () => {
    await provideBaseImages();
    removeConfiguration = await configurePodman(nodeImage);
    mirror = await startMirror();
    const began = performance.now();
    await build(farmImage);
    console.log(`built in ${Math.round((performance.now() - began) / 1000)} s`);
  }, 30 * minute);

  afterAll(async () => {
    mirror?.close();
    await podman("rmi", farmImage);
    removeConfiguration();
  }, 5 * minute);

  it("is built from an npm mirror and nothing else", () => {
    expect(mirror?.asked.filter((path) => path.endsWith(".tgz")).length).toBeGreaterThan(30);
  });

  it("takes less than 60 MB on top of its base, without sources and binaries of other platforms", async () => {
    const sizes = await shell(
      "du --apparent-size -sk /app; du --apparent-size -sk /app/node_modules; du -sk /app",
    );
    const [app = 0, modules = 0, blocks = 0] = sizes.split("\n").map((line) => Number.parseInt(line, 10));
    console.log(`/app ${app} KiB (${blocks} KiB of blocks), of which node_modules ${modules} KiB`);
    expect(app * 1024).toBeLessThan(60e6);
    const files = await shell(
      "cd /app; ls node_modules/better-sqlite3 node_modules/better-sqlite3/prebuilds",
    );
    expect(files).not.toMatch(/^(deps|src)$/m);
    expect(files.match(/\S+\.node/g)).toHaveLength(1);
    expect(
      await shell(
        "find /app -name '*.map' -path '/app/dist/*'; ls /app/node_modules | grep -c typescript || true",
      ),
    ).toBe("0");
  });

  it.each([
    { OWNER: "megatest", OWNER_UID: "1000", OWNER_GID: "1000", id: "1000 megatest 1000" },
    { OWNER: "megatest", OWNER_UID: "2000", OWNER_GID: "100", id: "2000 megatest 100" },
    // A name that has another number in the base image, and the number of another name.
    { OWNER: "games", OWNER_UID: "33", OWNER_GID: "33", id: "33 games 33" },
    { OWNER: "root", OWNER_UID: "0", OWNER_GID: "0", id: "0 root 0" },
    { OWNER: "root", OWNER_UID: "1000", OWNER_GID: "1000", id: "0 root 0" },
  ])(
    "runs as $OWNER with the numbers $OWNER_UID and $OWNER_GID",
    async ({ id, ...args }) => {
      const tag = `${farmImage}-owner`;
      await build(tag, args);
      try {
        // The name that the system gives to the number is that of the caches.
        expect(await shell("echo $(id -u) $(id -un) $(id -g); mtjobs --version", tag)).toMatch(
          new RegExp(`^${id}\n\\d+\\.\\d+\\.\\d+$`),
        );
        const made = await shell("touch ~/mine && mtjobs sample /tmp/samples --json", tag);
        expect((JSON.parse(made) as { areas: unknown[] }).areas).toHaveLength(3);
      } finally {
        await podman("rmi", tag);
      }
    },
    5 * minute,
  );

  it.each([
    [[], /without a token the server listens on loopback only/],
    [["--env", `MTJOBS_TOKEN=\${MTJOBS_TOKEN:-}`], /a variable that was not expanded/],
  ])("does not serve with the token options %j", async (options, says) => {
    const env = ["--env", "MTJOBS_AREAS=/tmp", ...options];
    const server = await podman(
      "run",
      "--rm",
      "--network=none",
      ...env,
      farmImage,
      "serve",
      "--listen",
      "0.0.0.0:3111",
    );
    expect(server).toMatchObject({ code: 2, stderr: expect.stringMatching(says) });
  });

  it("says that nothing answers if neither worker nor server runs", async () => {
    const { code, stdout } = await podman("run", "--rm", "--network=none", farmImage, "health");
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^neither a worker .* nor a server/)]);
  });

  it(
    "makes a farm by the compose file, with areas to look at, which jobs reduce and migrate",
    () =>
      withFarm(async ({ on, healthy, http }) => {
        for (const name of ["redis", "host-a", "host-b", "server"]) await healthy(name);
        expect(await on("host-a", "mtjobs", "sample", "/areas/samples")).toMatch(
          /^made 3 sample areas, at home on host-a/,
        );
        const status = JSON.parse(await on("server", "mtjobs", "status", "--json")) as {
          hosts: { host: string }[];
        };
        expect(status.hosts.map(({ host }) => host)).toEqual(["host-a", "host-b"]);
        expect((await http("/api/v1/hosts", "wrong")).status).toBe(401);
        const listed = (await (await http("/api/v1/areas")).json()) as {
          areas: { area: string; homehost: string }[];
        };
        expect(listed.areas).toHaveLength(3);
        const area = "/areas/samples/release";
        expect(await on("host-b", "mtjobs", "reduce", area, "--age", "90d", "--wait")).toMatch(
          /moved \d+ runs/,
        );
        expect(await on("host-b", "mtjobs", "migrate", area, "--to", "host-b", "--wait")).toMatch(
          /^migrate-\w+: moved/m,
        );
        expect(await on("host-b", "mtjobs", "doctor", area)).toMatch(/no problems\s*$/);
      }),
    10 * minute,
  );
});
