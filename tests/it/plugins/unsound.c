/* A sampler that conform.c and the sanitizers must find wanting: -DFAULT=n says in what. */
#define _POSIX_C_SOURCE 200809L
#include <sandbox_plugin.h>

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
  SOUND,
  WRITES_BEHIND_AN_ANSWER,
  READS_BEHIND_AN_INPUT,
  KEEPS_AN_INPUT,
  KEEPS_ITS_PARAMETERS,
  LEAKS,
  DESTROYS_TWICE,
  OVERFLOWS,
  IGNORES_STRIDES,
  WRITES_AN_INPUT,
  ANSWERS_NO_ROW,
  ANSWERS_NOTHING,
  DRAWS_ITS_OWN,
  FORGETS_IN_ITS_STATE,
  TAKES_ANY_STATE,
  READS_SHORT_STATES,
  GIVES_NO_REASON,
  LEAVES_A_THREAD
};

typedef struct {
  int64_t asked, salt;
  const DLTensor *kept;
  const SbxValue *values;
} Instance;

static int32_t fail(const SbxHost *host, const char *text) {
  host->fail(host, text, strlen(text));
  return SBX_ERROR;
}

static void *wait_for_ever(void *nothing) {
  for (;;) pthread_testcancel();
  return nothing;
}

static int32_t create(const SbxHost *host, const SbxValue *values, void **place) {
  static int64_t made;
  Instance *instance = calloc(1, sizeof *instance);
  if (!instance) return fail(host, "there is no memory");
  instance->salt = made++;
  instance->values = values;
  pthread_t thread;
  if (FAULT == LEAVES_A_THREAD && pthread_create(&thread, NULL, wait_for_ever, NULL)) return fail(host, "no thread");
  *place = instance;
  return SBX_OK;
}

static void destroy(void *instance) {
  if (FAULT != LEAKS) free(instance);
  if (FAULT == DESTROYS_TWICE) free(instance);
}

static int64_t row_at(const DLTensor *tensor, int64_t i) {
  return ((const int64_t *)tensor->data)[i * (FAULT == IGNORES_STRIDES ? 1 : tensor->strides[0])];
}

static int32_t decide(void *place, const SbxHost *host) {
  Instance *self = place;
  const DLTensor *index = host->input(host, "index");
  if (!index || (FAULT == GIVES_NO_REASON && host->rows > 1)) return SBX_ERROR;
  int64_t batch = index->shape[0], one[2] = {batch, 1}, found = 0;
  if (FAULT == KEEPS_AN_INPUT && self->kept) found += *(const int64_t *)self->kept->data;
  if (FAULT == KEEPS_ITS_PARAMETERS) found += self->values[0].integer;
  if (FAULT == READS_BEHIND_AN_INPUT) found += row_at(index, batch);
  if (FAULT == OVERFLOWS) found += INT_MAX + (int)batch;
  if (FAULT == WRITES_AN_INPUT) *(int64_t *)index->data = 1 - *(int64_t *)index->data;
  self->kept = index;
  DLTensor *positives = FAULT == ANSWERS_NOTHING ? NULL : host->output(host, "positives", 2, one);
  DLTensor *negatives = host->output(host, "negatives", 2, one);
  int64_t shift = FAULT == DRAWS_ITS_OWN ? self->salt : self->asked + (found & 0);
  for (int64_t query = 0; query < batch; query++) {
    if (positives) ((int64_t *)positives->data)[query] = row_at(index, query);
    ((int64_t *)negatives->data)[query] = FAULT == ANSWERS_NO_ROW ? host->rows : (row_at(index, query) + shift) % host->rows;
  }
  if (FAULT == WRITES_BEHIND_AN_ANSWER) ((int64_t *)negatives->data)[batch] = 0;
  self->asked++;
  return SBX_OK;
}

static int32_t save(void *place, const SbxHost *host) {
  const Instance *self = place;
  return host->emit(host, (const uint8_t *)&self->asked, sizeof self->asked);
}

static int32_t restore(void *place, const SbxHost *host, uint32_t version, const uint8_t *data, uint64_t len) {
  Instance *self = place;
  if (version != 1 && FAULT != TAKES_ANY_STATE) return SBX_UNSUPPORTED;
  if (len != sizeof self->asked && FAULT != READS_SHORT_STATES) return fail(host, "the state has another length");
  if (FAULT != FORGETS_IN_ITS_STATE) memcpy(&self->asked, data, sizeof self->asked);
  return SBX_OK;
}

static const SbxParam params[] = {{"width", "nothing", {SBX_INT, 0, 1, 1.0, NULL}}};

static const SbxPlugin plugin = {
    .struct_size = sizeof(SbxPlugin),
    .abi_major = SBX_ABI_MAJOR,
    .abi_minor = SBX_ABI_MINOR,
    .layout = SBX_LAYOUT,
    .slot = SBX_SLOT_SAMPLER,
    .devices = SBX_DEVICES_CPU,
    .name = "unsound",
    .version = "1",
    .doc = "What is tried.",
    .state_version = 1,
    .param_count = 1,
    .params = params,
    .create = create,
    .destroy = destroy,
    .decide = decide,
    .save = save,
    .restore = restore,
};

const SbxPlugin *sandbox_plugin(void) { return &plugin; }
