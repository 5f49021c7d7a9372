/* A plugin's whole life, as a host would lead it, with valid and hostile inputs. Linked with a plugin and built with
 * -fsanitize=address,undefined it says what was done, a line each; or what was expected and found, and exits with 1.
 * The SDK for Rust has the same in sdk/src/testing. */
#define _POSIX_C_SOURCE 200809L
#include "conform_host.h"

#include <dirent.h>

/* ---- one question ---- */

static void inputs_are_unchanged(const Host *host) {
  for (const Lent *lent = host->inputs; lent; lent = lent->next) {
    if (lent->before && memcmp(lent->before, lent->view.data, lent->bytes) != 0) {
      die("expected inputs to be read, found '%s' written", lent->name);
    }
  }
}

/* What is left of an answer, appended to `all`. */
static void check_answer(const Host *host, const Answer *answer, Bytes *all) {
  const Lent *lent = host->outputs; /* the last that was asked for is the first */
  while (lent && strcmp(lent->name, answer->name) != 0) lent = lent->next;
  if (!lent && answer->required) die("expected an answer '%s', found none", answer->name);
  if (!lent) return;
  for (int64_t at = 0; at < count(&lent->view); at++) {
    if (answer->code == SBX_DL_FLOAT) {
      double value = (double)*(const float *)element(lent, at);
      if (!isfinite(value)) die("'%s': expected finite numbers, found %g", answer->name, value);
      if (answer->least < answer->most && (value < (double)answer->least || value > (double)answer->most)) {
        die("'%s': expected numbers from %lld to %lld, found %g", answer->name, (long long)answer->least, (long long)answer->most, value);
      }
    } else {
      int64_t value = *(const int64_t *)element(lent, at);
      if (value < answer->least || value > answer->most) {
        die("'%s': expected %lld to %lld, found %lld", answer->name, (long long)answer->least, (long long)answer->most, (long long)value);
      }
    }
  }
  append(all, answer->name, strlen(answer->name));
  append(all, lent->shape, sizeof lent->shape);
  append(all, lent->view.data, lent->bytes);
}

/* Asks, and appends the answers; 0 if the plugin refuses with a reason. */
static int ask(void *instance, SbxAsk question, const char *function, Scene *scene, uint64_t seed, Bytes *all) {
  Host host;
  function_name = function;
  begin(&host, scene->rows, seed);
  set_the_scene(&host, scene, function);
  for (Lent *lent = host.inputs; lent; lent = lent->next) {
    lent->before = allocate(lent->bytes);
    memcpy(lent->before, lent->view.data, lent->bytes);
  }
  int32_t status = question(instance, &host.table);
  inputs_are_unchanged(&host);
  if (status != SBX_OK && !*host.said && !*host.refused) die("expected a reason by 'fail', found status %d without one", status);
  for (size_t i = 0; status == SBX_OK && i < 3 && host.answers[i].name; i++) {
    check_answer(&host, &host.answers[i], all);
  }
  /* The bank has as many clusters as the start has found. */
  for (const Lent *lent = host.outputs; lent; lent = lent->next) {
    if (strcmp(lent->name, "centroids") == 0) scene->clusters = lent->shape[0];
  }
  snprintf(refusal, sizeof refusal, "%s: %s%s", function, host.said, host.refused);
  give_back(&host.inputs);
  give_back(&host.outputs);
  clear(&host.state);
  function_name = "";
  return status == SBX_OK;
}

/* Everything that the slot asks; 0 if the plugin refuses one of them. */
static int live(void *instance, const Scene *scene, uint64_t seed, Bytes *all) {
  Scene now = *scene;
  int labels = plugin->slot == SBX_SLOT_LABELS;
  return (!labels || ask(instance, plugin->start, "start", &now, seed, all)) && ask(instance, plugin->decide, "decide", &now, seed, all) &&
         (!labels || !plugin->after_step || ask(instance, plugin->after_step, "after_step", &now, seed, all)) &&
         (!labels || !plugin->after_epoch || ask(instance, plugin->after_epoch, "after_epoch", &now, seed, all));
}

/* ---- instances and their state ---- */

/* 0 if the parameters are refused with a reason. The values are gone after the call. */
static int create(const SbxValue *values, void **instance) {
  Host host;
  function_name = "create";
  begin(&host, 0, 0);
  size_t bytes = sizeof *values * plugin->param_count;
  SbxValue *lent = allocate(bytes);
  if (bytes) memcpy(lent, values, bytes);
  int32_t status = plugin->create(&host.table, lent, instance);
  if (status != SBX_OK && !*host.said) die("expected a reason by 'fail', found status %d without one", status);
  free(lent);
  function_name = "";
  return status == SBX_OK;
}

static SbxValue *defaults(void) {
  SbxValue *values = allocate(sizeof *values * plugin->param_count);
  for (uint32_t i = 0; i < plugin->param_count; i++) values[i] = plugin->params[i].initial;
  return values;
}

static void *create_by_default(void) {
  void *instance = NULL;
  SbxValue *values = defaults();
  if (!create(values, &instance)) die("expected an instance of the parameters' defaults");
  free(values);
  return instance;
}

static Bytes save(void *instance) {
  Host host;
  begin(&host, 0, 0);
  if (plugin->save && plugin->save(instance, &host.table) != SBX_OK) die("save: expected a state, found: %s", host.said);
  return host.state;
}

static int32_t restore(void *instance, uint32_t version, const unsigned char *data, size_t len) {
  Host host;
  Bytes lent = {0};
  begin(&host, 0, 0);
  append(&lent, data, len);
  int32_t status = plugin->restore(instance, &host.table, version, lent.data, lent.len);
  if (status != SBX_OK && status != SBX_UNSUPPORTED && !*host.said) die("restore: expected a reason by 'fail', found status %d", status);
  clear(&lent);
  return status;
}

/* ---- the whole life ---- */

static void check_table(void) {
  if (plugin->struct_size != sizeof *plugin || plugin->abi_major != SBX_ABI_MAJOR || plugin->layout != SBX_LAYOUT) {
    die("expected version %d and this header's layout, found version %u", SBX_ABI_MAJOR, plugin->abi_major);
  }
  if (!plugin->name || !*plugin->name || !plugin->version || !plugin->doc) die("expected a name, a version and a doc");
  if (!plugin->create || !plugin->destroy || !plugin->decide) die("expected create, destroy and decide, found null");
  if (plugin->slot == SBX_SLOT_LABELS && !plugin->start) die("expected start, found null");
  if ((plugin->state_version > 0) != (plugin->save != NULL)) die("expected save exactly where there is a state version");
  if (plugin->save && !plugin->restore) puts("  it is never restored: a new generation begins anew");
  puts("the table is whole");
}

/* Each parameter at its limits: it is taken, or refused with a reason; what was made is asked. */
static void check_limits(void) {
  static const double odd[] = {-1.0, 0.0, 1.0, 0.5, 1e15, -1e15, (double)NAN, (double)INFINITY};
  scene_name = "parameters at their limits";
  int tried = 0;
  for (uint32_t at = 0; at < plugin->param_count; at++) {
    for (size_t i = 0; i < 2 * sizeof odd / sizeof *odd; i++) {
      SbxValue *values = defaults(), *value = &values[at];
      double number = odd[i / 2];
      if (value->kind == SBX_TEXT) value->text = "neither of them";
      if (value->kind == SBX_BOOL) value->integer = (int64_t)(i % 2);
      if (value->kind == SBX_INT || value->kind == SBX_FLOAT) {
        int whole = isfinite(number) && i % 2;
        *value = (SbxValue){.kind = SBX_FLOAT, .number = number};
        if (whole) *value = (SbxValue){.kind = SBX_INT, .integer = (int64_t)number, .number = trunc(number)};
      }
      void *instance = NULL;
      Bytes answers = {0};
      if (create(values, &instance)) {
        live(instance, &scenes[0], 0, &answers);
        plugin->destroy(instance);
      }
      clear(&answers);
      free(values);
      tried++;
    }
  }
  printf("%d odd parameters are taken, or refused with a reason\n", tried);
}

/* Two instances answer the same questions alike; a third, restored from the first one's state, goes on as it does. */
static void check_scene(const Scene *scene) {
  scene_name = scene->what;
  void *one = create_by_default(), *other = create_by_default(), *twin = create_by_default();
  Bytes a = {0}, b = {0};
  for (uint64_t seed = 0; seed < 3; seed++) {
    if (!live(one, scene, seed, &a) || !live(other, scene, seed, &b)) die("expected answers, found a refusal: %s", refusal);
  }
  if (!same(&a, &b)) die("expected the same answers of two instances to the same questions: does it draw numbers of its own?");
  clear(&a);
  clear(&b);
  Bytes state = save(one);
  if (plugin->save && plugin->restore && restore(twin, plugin->state_version, state.data, state.len) != SBX_OK) {
    die("expected the state that it saved to be taken");
  }
  Scene now = *scene;
  ask(one, plugin->decide, "decide", &now, 17, &a);
  ask(twin, plugin->decide, "decide", &now, 17, &b);
  if ((!plugin->save || plugin->restore) && !same(&a, &b)) {
    die("expected the same answers from a saved and restored state: it keeps something that it does not save");
  }
  clear(&a);
  clear(&b);
  clear(&state);
  plugin->destroy(one);
  plugin->destroy(other);
  plugin->destroy(twin);
  printf("%s: asked, asked again, and asked from its restored state\n", scene->what);
}

/* States that are none: each is refused with a reason, or unknown; who takes one must go on well. */
static void check_states(void) {
  scene_name = "states that are none";
  if (!plugin->restore) return;
  unsigned char garbage[97];
  for (size_t i = 0; i < sizeof garbage; i++) garbage[i] = (unsigned char)(i * 151);
  void *one = create_by_default();
  Bytes answers = {0};
  live(one, &scenes[0], 0, &answers);
  Bytes state = save(one);
  plugin->destroy(one);
  const uint32_t known = plugin->state_version, unknown = known + 1000;
  const struct {
    uint32_t version;
    const unsigned char *data;
    size_t len;
  } tries[] = {
      {known, state.data, state.len / 2}, {known, garbage, sizeof garbage}, {known, garbage, 0},
      {unknown, state.data, state.len},   {0, garbage, sizeof garbage},
  };
  for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
    void *instance = create_by_default();
    int32_t status = restore(instance, tries[i].version, tries[i].data, tries[i].len);
    if (status == SBX_OK && tries[i].version == unknown) die("expected a state of version %u to be unknown, found it taken", unknown);
    if (status == SBX_OK) live(instance, &scenes[0], 0, &answers);
    plugin->destroy(instance);
  }
  clear(&state);
  clear(&answers);
  puts("states that are none are refused");
}

/* ---- the gradient of a boundary ---- */

/* How far cosines are moved; nearer to 1 or -1 the loss of an angle is too steep for a difference. */
static const double STEP = 2e-3, STEEP = 0.9;

static const char *sides[] = {"positives", "negatives"}, *gradients[] = {"d_positives", "d_negatives"};

static const Lent *find(const Lent *list, const char *name) {
  while (list && strcmp(list->name, name) != 0) list = list->next;
  return list;
}

/* The loss with the cosines of a side moved along a direction; its gradient, and which cosines are free to be moved, where asked for. */
static double loss_at(void *instance, int side, const double *along, double by, double *gradient, int *is_free) {
  Host host;
  begin(&host, scenes[0].rows, 0);
  set_the_scene(&host, &scenes[0], "decide");
  const Lent *cosines = find(host.inputs, sides[side]), *valid = find(host.inputs, "valid");
  int64_t cells = count(&cosines->view);
  for (int64_t at = 0; at < cells; at++) {
    double cosine = (double)*(const float *)element(cosines, at);
    int there = side == 1 || *(const unsigned char *)element(valid, at);
    if (is_free) is_free[at] = there && fabs(cosine) < STEEP;
    if (along) put(cosines, at, cosine + by * along[at]);
  }
  if (plugin->decide(instance, &host.table) != SBX_OK) die("expected a loss at other cosines, found: %s", host.said);
  double loss = (double)*(const float *)element(find(host.outputs, "loss"), 0);
  const Lent *answer = find(host.outputs, gradients[side]);
  for (int64_t at = 0; gradient && at < cells; at++) gradient[at] = (double)*(const float *)element(answer, at);
  give_back(&host.inputs);
  give_back(&host.outputs);
  clear(&host.state);
  return loss;
}

static double dot(const double *a, const double *b, int64_t cells) {
  double sum = 0;
  for (int64_t at = 0; at < cells; at++) sum += a[at] * b[at];
  return sum;
}

/* Differences of the loss along the gradient itself and along a direction of signs, held against the gradient. */
static void check_side(void *instance, int side) {
  enum { MOST = 64 };
  double gradient[MOST], along[MOST];
  int is_free[MOST];
  int64_t cells = scenes[0].batch * (side ? NEGATIVES : POSITIVES);
  loss_at(instance, side, NULL, 0, gradient, is_free);
  double whole = sqrt(dot(gradient, gradient, cells));
  for (int direction = 0; direction < 2; direction++) {
    for (int64_t at = 0; at < cells; at++) {
      double sign = at * 7919 % 13 < 6 ? -1 : 1;
      along[at] = !is_free[at] ? 0 : direction ? sign : gradient[at];
    }
    double norm = sqrt(dot(along, along, cells));
    if (!(norm > 0)) continue;
    for (int64_t at = 0; at < cells; at++) along[at] /= norm;
    double found = (loss_at(instance, side, along, STEP, NULL, NULL) - loss_at(instance, side, along, -STEP, NULL, NULL)) / (2 * STEP);
    double said = dot(gradient, along, cells);
    if (fabs(found - said) > 0.05 * fmax(fabs(found), fabs(said)) + 0.01 * whole + 2e-3) {
      die("'%s' is not the gradient of the loss: along a direction the loss changes by %.4f, and '%s' says %.4f", gradients[side], found,
          gradients[side], said);
    }
  }
}

static void check_gradient(void) {
  if (plugin->slot != SBX_SLOT_BOUNDARY) return;
  scene_name = "the gradient";
  void *instance = create_by_default();
  check_side(instance, 0);
  check_side(instance, 1);
  plugin->destroy(instance);
  puts("its gradient is that of its loss");
}

/* ---- the derivatives of a novelty ---- */

/* Beta and gamma at which they are held against the logit; a gamma of 1 would not tell what is divided by it. */
static const double LEARNT[] = {-7.0, 1.5}, MOVED = 1e-2;

static const char *learnt_names[] = {"beta", "gamma"}, *derivatives[] = {"d_beta", "d_gamma"};

enum { STREAMS = 8 };

/* An answer with a number moved by so much, of a plugin that has seen nothing before; 0 where it is left out. */
static int answered_at(int which, double by, const char *name, double *answer) {
  void *instance = create_by_default();
  Host host;
  begin(&host, scenes[0].rows, 0);
  set_the_scene(&host, &scenes[0], "decide");
  for (int at = 0; at < 2; at++) put(find(host.inputs, learnt_names[at]), 0, LEARNT[at] + (at == which ? by : 0));
  if (plugin->decide(instance, &host.table) != SBX_OK) die("expected a logit at another beta and gamma, found: %s", host.said);
  const Lent *found = find(host.outputs, name);
  for (int64_t stream = 0; found && stream < scenes[0].batch; stream++) answer[stream] = (double)*(const float *)element(found, stream);
  give_back(&host.inputs);
  give_back(&host.outputs);
  clear(&host.state);
  plugin->destroy(instance);
  return found != NULL;
}

/* Differences of each stream's logit, held against what is said of it but for their rounding. */
static void check_derivative(int which) {
  double said[STREAMS], up[STREAMS], down[STREAMS];
  if (!answered_at(which, 0, derivatives[which], said)) {
    printf("it answers no '%s': %s learns nothing from it\n", derivatives[which], learnt_names[which]);
    return;
  }
  answered_at(which, MOVED, "logit", up);
  answered_at(which, -MOVED, "logit", down);
  for (int stream = 0; stream < scenes[0].batch; stream++) {
    double found = (up[stream] - down[stream]) / (2 * MOVED);
    double rounding = 4 * 1.2e-7 * fmax(fabs(up[stream]), fabs(down[stream])) / (2 * MOVED);
    if (fabs(found - said[stream]) > 0.02 * fmax(fabs(found), fabs(said[stream])) + rounding + 2e-3) {
      die("'%s' of stream %d is not the derivative of its logit, which changes by %.4f: it says %.4f", derivatives[which], stream, found,
          said[stream]);
    }
  }
  printf("'%s' is that of its logit\n", derivatives[which]);
}

static void check_derivatives(void) {
  if (plugin->slot != SBX_SLOT_NOVELTY) return;
  scene_name = "the derivatives";
  check_derivative(0);
  check_derivative(1);
}

static int threads(void) {
  int found = 0;
  DIR *tasks = opendir("/proc/self/task");
  if (!tasks) return 0;
  while (readdir(tasks)) found++;
  closedir(tasks);
  return found;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  int before = threads();
  plugin = sandbox_plugin();
  if (!plugin) die("expected a table, found null");
  check_table();
  check_limits();
  for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) check_scene(&scenes[i]);
  check_gradient();
  check_derivatives();
  check_states();
  scene_name = "all instances are gone";
  if (threads() > before) die("expected no thread to be left, found %d", threads() - before);
  puts("no thread is left");
  return 0;
}
