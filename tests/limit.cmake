leat_test(test_limiter)
foreach(unit change estimate pace property runs window)
  leat_test(test_limiter_${unit})
endforeach()
