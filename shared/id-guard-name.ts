/** Runname and testname of the rows that keep ids of moved runs from being handed out again; step and variable, too. */
export const guardName = "mtjobs-id-guard";
