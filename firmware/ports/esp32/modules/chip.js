/* What only a chip has; types in firmware/ports/types/chip.d.ts. */
export function start() { return native("xs_chip_start").call(this); }
export function print(line) { return native("xs_chip_print").call(this, line); }
export function restart() { return native("xs_chip_restart").call(this); }
export function restartCause() { return native("xs_chip_restartCause").call(this); }
export function random() { return native("xs_chip_random").call(this); }
export function freeBytes() { return native("xs_chip_freeBytes").call(this); }
export function largestFreeBytes() { return native("xs_chip_largestFreeBytes").call(this); }
export function nameServers() { return native("xs_chip_nameServers").call(this); }
export function wifiReason() { return native("xs_chip_wifiReason").call(this); }
export function checkPartitions() { return native("xs_chip_checkPartitions").call(this); }
export function confirmImage() { return native("xs_chip_confirmImage").call(this); }
