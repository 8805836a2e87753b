/* Runs the inputs of a corpus once, without libFuzzer, and says what became of each: one line of JSON a file. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_INPUT_BYTES 1048576u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *fuzz_outcome(void);
unsigned fuzz_library_version(void);

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    FILE *file = fopen(argv[i], "rb");
    uint8_t *bytes = malloc(MAX_INPUT_BYTES);
    if (file == NULL || bytes == NULL) return 1;
    const size_t length = fread(bytes, 1, MAX_INPUT_BYTES, file);
    fclose(file);
    uint8_t *exact = malloc(length > 0 ? length : 1); /* so that a read past its end is seen */
    if (exact == NULL) return 1;
    for (size_t at = 0; at < length; at++) exact[at] = bytes[at];
    free(bytes);
    (void)LLVMFuzzerTestOneInput(exact, length);
    free(exact);
    printf("{\"file\":\"%s\",\"outcome\":\"%s\",\"version\":%u}\n", argv[i], fuzz_outcome(), fuzz_library_version());
  }
  return 0;
}
