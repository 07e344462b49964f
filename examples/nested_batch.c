/*
 * nested_batch.c: a batch flow in a batch flow: a school's classes, and in each class its students. A leaf sees the params of both.
 * `run.in_flight_max` is one budget for the whole tree: nesting does not multiply it.
 */
#include <leat/leat.h>

#include <stdio.h>
#include <string.h>

static const struct grades {
    const char *class_name, *student;
    int grade[3];
} grades[] = {
    { "mathematics", "Ada", { 10, 9, 10 } },   { "mathematics", "Alan", { 9, 10, 8 } },
    { "mathematics", "Emmy", { 10, 10, 10 } }, { "milling", "Ada", { 5, 6, 4 } },
    { "milling", "Menocchio", { 10, 8, 9 } },
};
enum { COUNT = sizeof grades / sizeof *grades };

static leat_err classes_prep(leat_task *t, void *shared, const void **prep_res)
{
    for (int i = 0; i < COUNT; i++)
        if (i == 0 || strcmp(grades[i].class_name, grades[i - 1].class_name) != 0)
            leat_param_sets_add(t, prep_res, &(leat_param){ "class", grades[i].class_name }, 1);
    return LEAT_OK;
}

static leat_err students_prep(leat_task *t, void *shared, const void **prep_res)
{
    for (int i = 0; i < COUNT; i++)
        if (strcmp(grades[i].class_name, leat_task_param(t, "class")) == 0)
            leat_param_sets_add(t, prep_res, &(leat_param){ "student", grades[i].student }, 1);
    return LEAT_OK;
}

static leat_err average_prep(leat_task *t, void *shared, const void **prep_res)
{
    for (int i = 0; i < COUNT; i++)
        if (strcmp(grades[i].class_name, leat_task_param(t, "class")) == 0 &&
            strcmp(grades[i].student, leat_task_param(t, "student")) == 0)
            *prep_res = &grades[i];
    return LEAT_OK;
}

static leat_err average_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    const struct grades *g = prep_res;
    *exec_res = leat_task_printf(t, "%.2f", (g->grade[0] + g->grade[1] + g->grade[2]) / 3.0);
    return LEAT_OK;
}

static leat_err average_post(leat_task *t, void *shared, const void *prep_res, const void *average, const char **action)
{
    printf("  %s: %s\n", leat_task_param(t, "student"), (const char *)average);
    return LEAT_OK;
}

static leat_err students_post(leat_task *t, void *shared, const void *prep_res, const void *walks, const char *last_action,
                              const char **action)
{
    printf("%s: %zu students\n", leat_task_param(t, "class"), ((const leat_walks *)walks)->count);
    return LEAT_OK;
}

static const leat_node_class average = { "Average", average_prep, average_exec, NULL, average_post };

int main(void)
{
    leat_error error = { 0 };
    leat_runtime *rt = NULL;
    leat_err err = leat_runtime_new(&rt, NULL);
    leat_flow *class =
        leat_flow_new(&(leat_flow_opts){ .name = "Class", .batch = true, .prep = students_prep, .post = students_post });
    leat_flow_add(class, &average, NULL);
    leat_flow *school = leat_flow_new(&(leat_flow_opts){ .name = "School", .batch = true, .prep = classes_prep });
    leat_flow_add_flow(school, class);
    if (!err) err = leat_flow_run(rt, school, NULL, &(leat_run_opts){ .in_flight_max = 8, .error = &error });
    if (err) fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    leat_flow_free(school);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
