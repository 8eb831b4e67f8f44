import type { AcknowledgedWrite } from "../support/area.ts";
import { cacheOf } from "./area-copy.ts";
import type { Machine } from "./machine.ts";

/** Its name on a machine, beside the product's packages. */
export const clientProgram = "test-client.mjs";
const journal = "/tmp/client-journal";
const stopFile = "/tmp/client-stop";

/** Runs the emulated client of Megatest, which talks to the process that started it, until a file is there. */
const starter = `
import { fork } from "node:child_process";
import { existsSync } from "node:fs";
const client = fork(process.argv[1], [process.argv[2]]);
client.on("message", (message) => console.log(JSON.stringify(message)));
const timer = setInterval(() => {
  if (!existsSync("${stopFile}")) return;
  clearInterval(timer);
  client.send({ type: "stop" });
}, 200);
client.on("exit", (code) => process.exit(code));
`;

/** A client of Megatest on a machine, which registers tests and reports steps until it is told to stop. */
export async function startClient(
  machine: Machine,
  area: string,
): Promise<{ stop(): Promise<AcknowledgedWrite[]> }> {
  const options = {
    cacheDb: `${cacheOf(area)}/megatest.db`,
    journal,
    everyMs: 1_000,
    target: { sysname: "ubuntu", fsname: "nfs", datapath: "client" },
    runname: `client-${Date.now()}`,
  };
  await machine.sh(`rm -f ${journal} ${stopFile}`);
  const program = `$(echo /opt/mtjobs-*)`;
  const ended = machine.sh(
    `runuser -u megatest -- ${program}/node/bin/node --input-type=module -e '${starter}' ${program}/lib/${clientProgram} '${JSON.stringify(options)}'`,
  );
  await machine.sh(`until [ -s ${journal} ]; do sleep 1; done`);
  return {
    async stop() {
      await machine.sh(`touch ${stopFile}`);
      await ended;
      const lines = await machine.sh(`cat ${journal}`);
      return lines.split("\n").map((line) => JSON.parse(line) as AcknowledgedWrite);
    },
  };
}
