/* The face of firmware/native/tls.c in the Moddable SDK; types in firmware/ports/types/latchkey.d.ts. */
class Tls extends Native("xs_tls_destructor") {
  constructor(options) { super(); native("xs_tls_constructor").call(this, options); }
  feed(bytes) { return native("xs_tls_feed").call(this, bytes); }
  take(maxBytes) { return native("xs_tls_take").call(this, maxBytes); }
  handshake() { return native("xs_tls_handshake").call(this); }
  read(maxBytes) { return native("xs_tls_read").call(this, maxBytes); }
  write(bytes) { return native("xs_tls_write").call(this, bytes); }
  end() { return native("xs_tls_end").call(this); }
  close() { return native("xs_tls_close").call(this); }
  get info() { return native("xs_tls_get_info").call(this); }
  static dropSessions() { return native("xs_tls_dropSessions").call(this); }
  static selfTest(check) { return native("xs_tls_selfTest").call(this, check); }
}

export default Tls;
