/** Returns a failpoint function that calls `act` the first time that a job passes a step. */
export function firstTime(step: string, act: () => void): (name: string) => void {
  let isPassed = false;
  return (name) => {
    if (name !== step || isPassed) return;
    isPassed = true;
    act();
  };
}
