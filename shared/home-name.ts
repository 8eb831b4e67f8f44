/**
 * What `.homehost` may hold, as who reads it has it: an address or a host's name. All that is to be written there is checked
 * by it where it comes in.
 */
export const homeName = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/;
