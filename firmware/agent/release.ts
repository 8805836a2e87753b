/** When this release was made, 2026-11-01: no clock is right that is earlier. Raised with each release. */
export const RELEASE_TIME_MS = 1_793_491_200_000;
