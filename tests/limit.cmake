leat_test(test_limiter)
foreach(unit change learn runs several)
  leat_test(test_limiter_${unit})
endforeach()
foreach(unit estimate grants luck member noise pace spread window)
  leat_test(test_limiter_${unit} PURE)
endforeach()
leat_test(test_limiter_property PURE TIMEOUT 3600) # A million schedules in its long form.
if(NOT LEAT_SANITIZE) # they have a clock_gettime of their own
  leat_test(test_wall_clock)
endif()
leat_test(test_sweep_limit SOURCES support/sweep.c)
