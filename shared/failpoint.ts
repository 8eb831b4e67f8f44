/**
 * Named places in a job where a test may kill, stop or fail the process. Without the variable
 * `MTJOBS_FAILPOINT` the function does nothing.
 *
 * `MTJOBS_FAILPOINT=copied:3=kill` acts the third time the step `copied` is passed; several are told apart by commas.
 * Actions: `kill` (SIGKILL), `stop` (SIGSTOP), `error` (throws an I/O error).
 */
export function failpointFromEnvironment(value: string | undefined): (name: string) => void {
  if (value === undefined || value === "") return () => {};
  const points = value.split(",").map(failpoint);
  return (name) => {
    for (const point of points) point(name);
  };
}

function failpoint(value: string): (name: string) => void {
  const match = /^(?<step>[\w-]+)(?::(?<count>\d+))?=(?<action>kill|stop|error)$/.exec(value);
  if (match?.groups === undefined)
    throw new TypeError(`MTJOBS_FAILPOINT: "${value}" is not step[:count]=action`);
  const { step, action } = match.groups;
  let left = Number(match.groups.count ?? 1);
  return (name) => {
    if (name !== step || --left !== 0) return;
    if (action === "error") throw Object.assign(new Error(`failpoint ${name}`), { code: "EIO" });
    process.kill(process.pid, action === "kill" ? "SIGKILL" : "SIGSTOP");
    // The signal takes effect a moment later: this thread must not run on past the step meanwhile.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  };
}
