# Tests of the bulk room.
foreach(unit reader template bulk_ids bulk_line)
  leat_test(test_${unit} SOURCES bulk_support.c LIBRARIES PkgConfig::JANSSON PkgConfig::ZLIB)
endforeach()
foreach(unit row journal bulk_settings)
  leat_test(test_${unit} SOURCES bulk_support.c bulk_rows.c LIBRARIES PkgConfig::JANSSON)
endforeach()
