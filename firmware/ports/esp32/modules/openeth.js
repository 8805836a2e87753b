/* `latchkey/network` of Espressif's QEMU: OpenCores Ethernet, addresses by DHCP. As the SDK's Ethernet class, as far as it is used. */
class OpenEth extends Native("xs_openeth_destructor") {
  constructor(options) { super(); native("xs_openeth_constructor").call(this, options); }
  close() { return native("xs_openeth_close").call(this); }
  connect() { return native("xs_openeth_connect").call(this); }
  get connection() { return native("xs_openeth_get_connection").call(this); }
  get address() { return native("xs_openeth_get_address").call(this); }
}

export default OpenEth;
export const kind = "ethernet";
