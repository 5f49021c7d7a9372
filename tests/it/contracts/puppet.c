/* A policy that answers what its parameter says, for the slot that SLOT is: for each function `NAME|ANSWER:SIZE,SIZE=VALUE;...`,
 * several functions parted by `&`. */
#include <sandbox_plugin.h>

#include <stdlib.h>
#include <string.h>

static int32_t create(const SbxHost *host, const SbxValue *values, void **instance) {
  (void)host;
  size_t size = strlen(values[0].text) + 1;
  *instance = malloc(size);
  if (!*instance) return SBX_ERROR;
  memcpy(*instance, values[0].text, size);
  return SBX_OK;
}

static void destroy(void *instance) { free(instance); }

/* One answer; returns where the next one begins, or null where the host refuses it. */
static const char *give(const SbxHost *host, const char *text) {
  char name[64];
  size_t length = strcspn(text, ":");
  memcpy(name, text, length);
  name[length] = 0;
  int64_t shape[8];
  int32_t ndim = 0;
  char *at = (char *)text + length + 1;
  while (*at != '=') {
    shape[ndim++] = strtoll(at, &at, 10);
    if (*at == ',') at++;
  }
  double value = strtod(at + 1, &at);
  DLTensor *answer = host->output(host, name, ndim, shape);
  if (!answer) return 0;
  int64_t count = 1;
  for (int32_t d = 0; d < ndim; d++) count *= shape[d];
  for (int64_t i = 0; i < count; i++) {
    if (answer->dtype.code == SBX_DL_INT) ((int64_t *)answer->data)[i] = (int64_t)value;
    else ((float *)answer->data)[i] = (float)value;
  }
  return *at == ';' ? at + 1 : at;
}

static int32_t answer(void *instance, const SbxHost *host, const char *function) {
  const char *at = instance;
  size_t length = strlen(function);
  while (at && !(strncmp(at, function, length) == 0 && at[length] == '|')) {
    at = strchr(at, '&');
    if (at) at++;
  }
  if (!at) return SBX_OK;
  at += length + 1;
  while (*at && *at != '&') {
    at = give(host, at);
    if (!at) return SBX_ERROR;
  }
  return SBX_OK;
}

static int32_t start(void *instance, const SbxHost *host) { return answer(instance, host, "start"); }
static int32_t decide(void *instance, const SbxHost *host) { return answer(instance, host, "decide"); }
static int32_t after_step(void *instance, const SbxHost *host) { return answer(instance, host, "after_step"); }
static int32_t after_epoch(void *instance, const SbxHost *host) { return answer(instance, host, "after_epoch"); }

static const SbxParam params[] = {{"how", "what to answer", {SBX_TEXT, 0, 0, 0, ""}}};

static const SbxPlugin plugin = {
    .struct_size = sizeof(SbxPlugin),
    .abi_major = SBX_ABI_MAJOR,
    .abi_minor = SBX_ABI_MINOR,
    .layout = SBX_LAYOUT,
    .slot = SLOT,
    .devices = SBX_DEVICES_CPU,
    .name = "puppet",
    .version = "1",
    .doc = "It answers what it is told.",
    .param_count = 1,
    .params = params,
    .create = create,
    .destroy = destroy,
    .start = start,
    .decide = decide,
    .after_step = after_step,
    .after_epoch = after_epoch,
};

const SbxPlugin *sandbox_plugin(void) { return &plugin; }
