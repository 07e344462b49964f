# Tests of the base room.
foreach(unit arena buf check error heap json json_pick json_write)
  leat_test(test_${unit} PURE)
endforeach()
foreach(unit lock mem os_file os_thread os_time)
  leat_test(test_${unit})
endforeach()
leat_test(test_json_oracle PURE LIBRARIES PkgConfig::JANSSON)
