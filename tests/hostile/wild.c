/* A sampler that answers by lot, drawn from the environment variable WILD: one lot is one way to be wrong, in each call a little
 * otherwise. It never writes outside of what it was lent: what a library does to its own process is tried elsewhere. */
#include <sandbox_plugin.h>

#include <stdlib.h>
#include <string.h>

static uint64_t state;

/* A number below `count` (Marsaglia's xorshift). */
static uint64_t lot(uint64_t count) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (state >> 11) % count;
}

/* The ways to be wrong. A lot has some of them, and not in each call: else nothing would get beyond the first answer. */
enum { CREATES, READS, SIZES, NAMES, DIMENSIONS, NUMBERS, MORE, FAILS, STATUS, SAVES, RESTORES, WAYS };

static int wrong(int way, uint64_t seldom) {
  static int ways[WAYS];
  if (!state) {
    const char *seed = getenv("WILD");
    state = seed ? strtoull(seed, 0, 10) | 1 : 1;
    for (int i = 0; i < WAYS; i++) ways[i] = lot(8) == 0;
  }
  return ways[way] && lot(seldom) == 0;
}

static int32_t create(const SbxHost *host, const SbxValue *values, void **instance) {
  (void)values;
  if (wrong(CREATES, 4)) {
    host->fail(host, "\xff\xfe", lot(3));
    return SBX_ERROR;
  }
  *instance = wrong(CREATES, 2) ? 0 : calloc(1, 64);
  return wrong(CREATES, 4) ? (int32_t)lot(7) - 3 : SBX_OK;
}

static void destroy(void *instance) { free(instance); }

static int64_t number(int64_t at, int64_t rows) {
  const int64_t odd[] = {-1, -2, rows, rows + 1, INT64_MIN, INT64_MAX, 1LL << 32};
  return wrong(NUMBERS, 64) ? odd[lot(7)] : at % rows;
}

static int64_t size(int64_t right) {
  const int64_t odd[] = {0, -1, 1, right + 1, 1LL << 20, 1LL << 40, INT64_MAX, INT64_MIN};
  return wrong(SIZES, 8) ? odd[lot(8)] : right;
}

static const char *named(const char *right) {
  const char *odd[] = {"", "positives", "negatives", "targets", "\xff", "bank.features"};
  return wrong(NAMES, 4) ? odd[lot(6)] : right;
}

static int32_t decide(void *instance, const SbxHost *host) {
  (void)instance;
  const DLTensor *index = host->input(host, wrong(READS, 2) ? named("") : "index");
  if (!index) return SBX_ERROR;
  int64_t batch = index->ndim ? index->shape[0] : 1;
  for (int answer = 0; answer < (wrong(MORE, 2) ? 3 : 2); answer++) {
    int64_t width = !answer ? 1 : host->rows < 8 ? host->rows : 8;
    int64_t shape[6] = {size(batch), size(width), size(1), 1, 1, 1};
    int32_t ndim = wrong(DIMENSIONS, 4) ? (int32_t)lot(7) - 1 : 2;
    DLTensor *out = host->output(host, named(answer ? "negatives" : "positives"), ndim, shape);
    if (!out || !out->data) {
      if (lot(2)) return SBX_ERROR;
      continue;
    }
    int64_t count = 1;
    for (int32_t i = 0; i < out->ndim; i++) count *= out->shape[i];
    if (out->dtype.bits != 64) continue;
    for (int64_t at = 0; at < count; at++) ((int64_t *)out->data)[at] = number(at, host->rows);
  }
  if (wrong(FAILS, 4)) host->fail(host, "so be it", 8);
  return wrong(STATUS, 4) ? (int32_t)lot(100) - 50 : SBX_OK;
}

static int32_t save(void *instance, const SbxHost *host) {
  static uint8_t bytes[4096];
  (void)instance;
  for (int i = 0; i < 64; i++) bytes[i] = wrong(SAVES, 4) ? (uint8_t)lot(256) : 0;
  int32_t said = host->emit(host, bytes, wrong(SAVES, 2) ? lot(sizeof bytes) : 8);
  return wrong(SAVES, 2) ? host->emit(host, bytes, 8) : said;
}

static int32_t restore(void *instance, const SbxHost *host, uint32_t version, const uint8_t *data, uint64_t len) {
  (void)instance, (void)host, (void)version, (void)data, (void)len;
  return wrong(RESTORES, 2) ? (int32_t)lot(7) - 3 : SBX_OK;
}

static const SbxPlugin plugin = {
    .struct_size = sizeof(SbxPlugin),
    .abi_major = SBX_ABI_MAJOR,
    .abi_minor = SBX_ABI_MINOR,
    .layout = SBX_LAYOUT,
    .slot = SBX_SLOT_SAMPLER,
    .devices = SBX_DEVICES_CPU,
    .name = "wild",
    .version = "1",
    .doc = "Answers by lot.",
    .state_version = 1,
    .create = create,
    .destroy = destroy,
    .decide = decide,
    .save = save,
    .restore = restore,
};

const SbxPlugin *sandbox_plugin(void) { return &plugin; }
