/* FAKE, for tests. Options come from the compiler's command line. */
